"""Train a surrogate, calibrate it, and judge whether it may replace the one in use.

Campaigns and replays learn through these functions alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from loop.calibration import (
    LEAST_WELLS,
    LEVEL,
    Calibration,
    calibrate,
    cross_coverage,
    gaussian_nll,
)
from loop.domain.errors import NothingMeasuredError
from loop.ports.arrays import (
    Belief,
    BoolArray,
    FloatArray,
    IntArray,
    SurrogateState,
    TrainingSet,
)
from loop.ports.engine import Progress, Surrogate, silent
from loop.scores import nll, rmse, spearman

_IDENTITIES = "learned_identities"
_CALIBRATIONS = "calibrations"
LEAST_AUDIT = 8
TOLERATED_NATS = 0.05
"""A loss this small is no reason to keep a surrogate that has seen less (decision 0005)."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A fitted surrogate with what its out-of-fold predictions say of it."""

    surrogate: Surrogate
    identities: np.ndarray[tuple[int], np.dtype[np.uint64]]
    calibrations: tuple[Calibration, ...]

    def believe_honestly(self, training: TrainingSet) -> Belief:
        """Predict observations without having learned from them.

        Out of fold for those that the surrogate was trained on, plainly for all others.
        """
        belief = self.surrogate.believe(training.combinations)
        fold = self.surrogate.out_of_fold()
        row_of = {int(identity): row for row, identity in enumerate(self.identities)}
        rows = np.array([row_of.get(int(each), -1) for each in training.identities], dtype=np.int64)
        seen = rows >= 0
        parts = [belief.mean.copy(), belief.epistemic_sd.copy(), belief.aleatoric_sd.copy()]
        for part, folded in zip(
            parts, (fold.mean, fold.epistemic_sd, fold.aleatoric_sd), strict=True
        ):
            part[seen] = folded[rows[seen]]
        return Belief(*parts)

    def interval(
        self, belief: Belief, readout: int = 0, wells: IntArray | int = 1
    ) -> tuple[FloatArray, FloatArray]:
        """The calibrated 90 % interval of the mean of so many wells, two arrays of shape (N,)."""
        half = self.calibrations[readout].quantile * belief.sd_of_means(wells)[:, readout]
        mean = belief.mean[:, readout]
        return mean - half, mean + half

    def sd(self, belief: Belief, wells: IntArray | int = 1) -> FloatArray:
        """The calibrated SD of the mean of so many wells (goal readout), shape (N,)."""
        whole: FloatArray = self.calibrations[0].temperature * belief.sd_of_means(wells)[:, 0]
        return whole


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger replaces the champion, and the sentence that says why."""

    adopt: bool
    sentence: str
    scores: Mapping[str, float | None]


def learn(
    surrogate: Surrogate,
    training: TrainingSet,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Learned:
    """Fit a surrogate (warm, if it was restored) and calibrate it out of fold.

    Raises:
        NothingMeasuredError: If no observation has a value of the first readout.
    """
    if not np.isfinite(training.values[:, 0]).any():
        msg = "Nothing has been measured yet; dispatch a batch and ingest its results first."
        raise NothingMeasuredError(msg)
    surrogate.fit(training, rng, progress)
    return Learned(surrogate, training.identities, _calibrations(surrogate, training))


def _calibrations(surrogate: Surrogate, training: TrainingSet) -> tuple[Calibration, ...]:
    """One for each readout, on those wells that judge it."""
    belief = surrogate.out_of_fold()
    sd = belief.sd_of_means(training.replicates)
    found = []
    for readout in range(training.values.shape[1]):
        rows = judges(training, readout)
        found.append(
            calibrate(training.values[rows, readout], belief.mean[rows, readout], sd[rows, readout])
        )
    return tuple(found)


def learn_round(
    make: Callable[[], Surrogate],
    champion: Learned | None,
    training: TrainingSet,
    rng: np.random.Generator,
    scratch: bool = False,
    progress: Progress = silent,
) -> tuple["Learned", "Verdict", "Learned"]:
    """Train a challenger, from the champion's weights unless from scratch, and judge it.

    Returns whichever of the two reigns from now on, the verdict, and the challenger.
    """
    surrogate = make()
    if champion is not None and not scratch:
        surrogate.restore(champion.surrogate.state())
    challenger = learn(surrogate, training, rng, progress)
    verdict = judge(challenger, champion, training)
    reigning = champion if champion is not None and not verdict.adopt else challenger
    return reigning, verdict, challenger


def judges(training: TrainingSet, readout: int = 0) -> BoolArray:
    """The rows that judge: audit wells, or all rows while audit wells are too few. Shape (n,)."""
    measured = np.isfinite(training.values[:, readout])
    audit = measured & training.audit
    return audit if audit.sum() >= LEAST_WELLS else measured


def packed(learned: Learned) -> SurrogateState:
    """All that `unpacked` needs, as one state."""
    state = learned.surrogate.state()
    calibrations = [[each.temperature, each.quantile, each.wells] for each in learned.calibrations]
    return SurrogateState(
        {**state.arrays, _IDENTITIES: learned.identities},
        {
            "surrogate": dict(state.settings),
            _CALIBRATIONS: calibrations,
        },
    )


def unpacked(surrogate: Surrogate, state: SurrogateState) -> Learned:
    """Restore an unfitted surrogate, in place, to what `packed` stored."""
    arrays = dict(state.arrays)
    identities = np.asarray(arrays.pop(_IDENTITIES), dtype=np.uint64)
    surrogate.restore(
        SurrogateState(arrays, cast("Mapping[str, object]", state.settings["surrogate"]))
    )
    stored = cast("list[list[float]]", state.settings[_CALIBRATIONS])
    calibrations = tuple(Calibration(each[0], each[1], int(each[2])) for each in stored)
    return Learned(surrogate, identities, calibrations)


def judge(challenger: Learned, champion: Learned | None, training: TrainingSet) -> Verdict:
    """Compare two surrogates on audit wells, each predicting what it had not learned from.

    The challenger is adopted unless its mean negative log likelihood is worse by more than 0.05
    nats, and by two standard errors of the paired difference beyond that, or its intervals cover
    significantly less than 90 % (cross-calibrated, three standard errors). With fewer than 8
    audit wells there is no judge, and newer data wins. The first surrogate has no rival and
    is adopted whatever it covers, with a warning.
    """
    rows = np.isfinite(training.values[:, 0]) & training.audit
    audit = training[rows]
    values = audit.values[:, 0]
    mine = challenger.believe_honestly(audit)
    mean, sd = mine.mean[:, 0], mine.sd_of_means(audit.replicates)[:, 0]
    covered = cross_coverage(values, mean, sd)
    scores: dict[str, float | None] = {
        "audit_wells": float(len(values)),
        "rmse": rmse(values, mean),
        "nll": nll(values, mean, challenger.sd(mine, audit.replicates)),
        "spearman": spearman(values, mean),
        "coverage90": covered,
        "temperature": challenger.calibrations[0].temperature,
    }
    covers = covered is None or covered >= LEVEL - 3 * np.sqrt(LEVEL * (1 - LEVEL) / len(values))
    told = "" if covers else f"its 90 % intervals cover {covered:.0%} of {len(values)} audit wells"
    if champion is None:
        warning = f"; beware, {told}" if told else ""
        return Verdict(True, f"adopted: the first surrogate of this campaign{warning}.", scores)
    if told:
        return Verdict(False, f"declined: {told}.", scores)
    if len(values) < LEAST_AUDIT:
        return Verdict(
            True,
            f"adopted: {len(values)} audit wells are too few to compare, and it has seen more.",
            scores,
        )
    theirs = champion.believe_honestly(audit)
    worse = gaussian_nll(values, mean, challenger.sd(mine, audit.replicates)) - gaussian_nll(
        values, theirs.mean[:, 0], champion.sd(theirs, audit.replicates)
    )
    return _compared(worse, scores)


def _compared(worse: FloatArray, scores: dict[str, float | None]) -> Verdict:
    difference = float(worse.mean())
    noise = float(worse.std(ddof=1) / np.sqrt(len(worse)))
    scores["nll_minus_champion"] = difference
    word = "better" if difference < 0 else "worse"
    told = (
        f"{abs(difference):.3f} ± {noise:.3f} nats a well {word} than the champion on "
        f"{len(worse)} audit wells"
    )
    if difference - 2 * noise > TOLERATED_NATS:
        return Verdict(False, f"declined: {told}.", scores)
    within = ", which is not enough to decline it" if difference > 0 else ""
    return Verdict(True, f"adopted: {told}{within}.", scores)
