"""A round in numbers: what was believed before the batch was measured, against what came."""

import numpy as np

from loop.domain.batch import Batch, Choice, ChosenBy, PredictedReadout, RoundScores
from loop.domain.goal import Readout
from loop.domain.observation import Observation
from loop.observe import Observed
from loop.ports.arrays import BoolArray, FloatArray
from loop.scores import nll, rmse, share, spearman


def round_scores(batch: Batch, observed: Observed, readout: Readout) -> RoundScores:
    """Score a batch on its measured perturbations; None for what cannot be computed.

    A perturbation made in several wells is held against the belief about their mean. Reference
    designs have been seen before and do not count.
    """
    rows = [
        (_belief(choice, found), found.mean, choice.chosen_by is ChosenBy.AUDIT)
        for choice in batch.choices
        if choice.chosen_by is not ChosenBy.REFERENCE
        and (found := observed.by_key.get(choice.perturbation.key, {}).get(readout.name))
    ]
    values = np.array([value for _, value, _ in rows])
    hits = int(sum(readout.is_hit(value) for value in values)) if readout.has_threshold else None
    believed = [(b, value, by_lot) for b, value, by_lot in rows if b is not None]
    mean = np.array([b.mean for b, _, _ in believed])
    sd = np.array([b.sd for b, _, _ in believed])
    known = np.array([value for _, value, _ in believed])
    inside = np.array([b.low <= value <= b.high for b, value, _ in believed], dtype=np.bool_)
    audit = np.array([by_lot for _, _, by_lot in believed], dtype=np.bool_)
    return RoundScores(
        measured=len(rows),
        hits=hits,
        hit_rate=hits / len(rows) if hits is not None and rows else None,
        rmse=rmse(known, mean),
        nll=nll(known, mean, sd),
        spearman=spearman(known, mean),
        coverage90=share(inside),
        audit_rmse=_part(known, mean, audit),
        audit_coverage90=share(inside[audit]) if len(inside) else None,
    )


def _belief(choice: Choice, found: Observation) -> PredictedReadout | None:
    belief = choice.belief.get(found.readout)
    return None if belief is None else belief.of_mean(found.replicates)


def _part(values: FloatArray, mean: FloatArray, rows: BoolArray) -> float | None:
    return rmse(values[rows], mean[rows]) if len(values) else None
