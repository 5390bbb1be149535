"""A round in numbers: what was believed before the batch was measured, against what came."""

from dataclasses import dataclass

import numpy as np

from loop.domain.batch import Batch, Choice, ChosenBy, PredictedReadout, RoundScores
from loop.domain.goal import Readout
from loop.domain.observation import Observation
from loop.observe import Observed
from loop.ports.arrays import BoolArray, FloatArray
from loop.scores import nll, rmse, share, spearman


@dataclass(frozen=True, slots=True)
class Judged:
    """A chosen perturbation that was measured, with the belief held before, if there was one.

    `belief` is about the mean of as many wells as were measured; `audit`: drawn by lot.
    """

    belief: PredictedReadout | None
    value: float
    audit: bool

    @property
    def inside(self) -> bool:
        """Whether the 90 % interval held the value; False without a belief."""
        return self.belief is not None and self.belief.low <= self.value <= self.belief.high


def judged(batch: Batch, observed: Observed, readout: Readout) -> list[Judged]:
    """What was measured of a batch. Reference designs have been seen before and do not count."""
    return [
        Judged(_belief(choice, found), found.mean, choice.chosen_by is ChosenBy.AUDIT)
        for choice in batch.choices
        if choice.chosen_by is not ChosenBy.REFERENCE
        and (found := observed.by_key.get(choice.perturbation.key, {}).get(readout.name))
    ]


def round_scores(batch: Batch, observed: Observed, readout: Readout) -> RoundScores:
    """Score a batch on its measured perturbations; None for what cannot be computed."""
    rows = judged(batch, observed, readout)
    hits = sum(readout.is_hit(row.value) for row in rows) if readout.has_threshold else None
    believed = [(row, row.belief) for row in rows if row.belief is not None]
    mean = np.array([b.mean for _, b in believed])
    sd = np.array([b.sd for _, b in believed])
    known = np.array([row.value for row, _ in believed])
    inside = np.array([row.inside for row, _ in believed], dtype=np.bool_)
    audit = np.array([row.audit for row, _ in believed], dtype=np.bool_)
    return RoundScores(
        measured=len(rows),
        hits=hits,
        hit_rate=hits / len(rows) if hits is not None and rows else None,
        rmse=rmse(known, mean),
        nll=nll(known, mean, sd),
        spearman=spearman(known, mean),
        coverage90=share(inside),
        audit_rmse=_part(known, mean, audit),
        audit_coverage90=share(inside[audit]),
        selected_coverage90=share(inside[~audit]),
    )


def _belief(choice: Choice, found: Observation) -> PredictedReadout | None:
    belief = choice.belief.get(found.readout)
    return None if belief is None else belief.of_mean(found.replicates)


def _part(values: FloatArray, mean: FloatArray, rows: BoolArray) -> float | None:
    return rmse(values[rows], mean[rows]) if len(values) else None
