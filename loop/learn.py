"""Train a surrogate, calibrate it, and judge whether it may replace the one in use.

Campaigns and replays learn through these functions alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from loop.calibration import (
    LEAST_WELLS,
    LEVEL,
    Calibration,
    Foretold,
    calibrate,
    cross_coverage,
    tailed_nll,
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
from loop.ports.engine import Progress, Surrogate, TellsPriorHelp, silent
from loop.scores import far_out, nll, replicate_sd, rmse, spearman

_IDENTITIES = "learned_identities"
_CALIBRATIONS = "calibrations"
_STANDING, _ERROR = "foretold_standing", "foretold_error"
PRIOR_SCORE = "prior_nats: "
"""How the score of an earlier screen begins; its name follows."""
FORETOLD_KEPT = 256
"""How many of the newest foretold wells widths are learned from; older ones say little of now."""
LEAST_AUDIT = 8
TOLERATED_NATS = 0.05
"""A loss this small is no reason to keep a surrogate that has seen less (decision 0005)."""


@dataclass(frozen=True, slots=True)
class ForetoldWells:
    """Wells as surrogates predicted them before they learned from them, oldest first.

    `standing` and `error` are those of `calibration.Foretold`, each of shape (h, m).
    """

    standing: FloatArray
    error: FloatArray

    def of(self, readout: int) -> Foretold:
        """What they tell of one readout."""
        return Foretold(self.standing[:, readout], self.error[:, readout])

    @classmethod
    def none(cls, readouts: int) -> "ForetoldWells":
        """No well yet, of so many readouts."""
        return cls(np.zeros((0, readouts)), np.zeros((0, readouts)))


@dataclass(frozen=True, slots=True)
class Learned:
    """A fitted surrogate with what predictions of wells it had not learned from say of it.

    `identities` are those it learned from; `foretold` is what came of the predictions of its
    forerunners.
    """

    surrogate: Surrogate
    identities: np.ndarray[tuple[int], np.dtype[np.uint64]]
    calibrations: tuple[Calibration, ...]
    foretold: ForetoldWells = field(default_factory=lambda: ForetoldWells.none(1))

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
        calibration, mean = self.calibrations[readout], belief.mean[:, readout]
        widened = calibration.growth(mean) * belief.sd_of_means(wells)[:, readout]
        half = calibration.quantile * widened
        return mean - half, mean + half

    def scale(self, belief: Belief, readout: int = 0) -> FloatArray:
        """Calibrated SD / SD of each belief, shape (N,): for both parts of the SD alike."""
        calibration = self.calibrations[readout]
        scale: FloatArray = calibration.temperature * calibration.growth(belief.mean[:, readout])
        return scale

    def sd(self, belief: Belief, wells: IntArray | int = 1) -> FloatArray:
        """The calibrated SD of the mean of so many wells (goal readout), shape (N,)."""
        whole: FloatArray = self.scale(belief) * belief.sd_of_means(wells)[:, 0]
        return whole

    def foretell(self, training: TrainingSet) -> ForetoldWells:
        """What is known of predictions, with the wells that came since this was trained.

        The newest 256 wells are kept, or all new ones where they are more.
        """
        new = training[~np.isin(training.identities, self.identities)]
        if not len(new):
            return self.foretold
        belief = self.surrogate.believe(new.combinations)
        error = np.abs(new.values - belief.mean) / belief.sd_of_means(new.replicates)
        standing = np.empty_like(error)
        for readout, calibration in enumerate(self.calibrations):
            standing[:, readout] = calibration.standing(belief.mean[:, readout])
            if calibration.wells == 0:
                # Nothing said what a large effect is, so this tells nothing of large effects.
                error[:, readout] = np.nan
        keep = max(FORETOLD_KEPT, len(new))
        return ForetoldWells(
            np.concatenate([self.foretold.standing, standing])[-keep:],
            np.concatenate([self.foretold.error, error])[-keep:],
        )


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
    foretold: ForetoldWells | None = None,
) -> Learned:
    """Fit a surrogate (warm, if it was restored) and calibrate it.

    It is calibrated on predictions out of fold, and on what was `foretold` by forerunners.

    Raises:
        NothingMeasuredError: If no observation has a value of the first readout.
    """
    if not np.isfinite(training.values[:, 0]).any():
        msg = "Nothing has been measured yet; dispatch a batch and ingest its results first."
        raise NothingMeasuredError(msg)
    surrogate.fit(training, rng, progress)
    known = foretold or ForetoldWells.none(training.values.shape[1])
    calibrations = _calibrations(surrogate, training, known)
    return Learned(surrogate, training.identities, calibrations, known)


def _calibrations(
    surrogate: Surrogate, training: TrainingSet, foretold: ForetoldWells
) -> tuple[Calibration, ...]:
    """One for each readout, on those wells that judge it."""
    belief = surrogate.out_of_fold()
    sd = belief.sd_of_means(training.replicates)
    found = []
    for readout in range(training.values.shape[1]):
        rows = judges(training, readout)
        found.append(
            calibrate(
                training.values[rows, readout],
                belief.mean[rows, readout],
                sd[rows, readout],
                foretold.of(readout),
            )
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
    foretold = None if champion is None else champion.foretell(training)
    challenger = learn(surrogate, training, rng, progress, foretold)
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
    calibrations = [asdict(each) for each in learned.calibrations]
    return SurrogateState(
        {
            **state.arrays,
            _IDENTITIES: learned.identities,
            _STANDING: learned.foretold.standing,
            _ERROR: learned.foretold.error,
        },
        {
            "surrogate": dict(state.settings),
            _CALIBRATIONS: calibrations,
        },
    )


def unpacked(surrogate: Surrogate, state: SurrogateState) -> Learned:
    """Restore an unfitted surrogate, in place, to what `packed` stored.

    Snapshots of release 0.1.0 hold no foretold wells, and calibrations of three numbers: their
    intervals stay as they were.
    """
    arrays = dict(state.arrays)
    identities = np.asarray(arrays.pop(_IDENTITIES), dtype=np.uint64)
    standing, error = arrays.pop(_STANDING, None), arrays.pop(_ERROR, None)
    surrogate.restore(
        SurrogateState(arrays, cast("Mapping[str, object]", state.settings["surrogate"]))
    )
    stored = cast("list[dict[str, Any] | list[float]]", state.settings[_CALIBRATIONS])
    calibrations = tuple(
        Calibration(**each) if isinstance(each, dict) else _early_calibration(*each)
        for each in stored
    )
    if standing is None or error is None:
        return Learned(surrogate, identities, calibrations, ForetoldWells.none(len(calibrations)))
    foretold = ForetoldWells(standing.astype(np.float64), error.astype(np.float64))
    return Learned(surrogate, identities, calibrations, foretold)


def _early_calibration(temperature: float, quantile: float, wells: float) -> Calibration:
    """As release 0.1.0 stored it."""
    return Calibration(temperature, quantile, int(wells))


def judge(challenger: Learned, champion: Learned | None, training: TrainingSet) -> Verdict:
    """Compare two surrogates on audit wells, each predicting what it had not learned from.

    The challenger is adopted unless its mean negative log likelihood is worse by more than 0.05
    nats, and by two standard errors of the paired difference beyond that, or its intervals cover
    significantly less than 90 % (widths learned on other audit wells, three standard errors).
    With fewer than 8 audit wells there is no judge, and newer data wins. The first surrogate has
    no rival and is adopted whatever it covers, with a warning.
    """
    rows = np.isfinite(training.values[:, 0]) & training.audit
    audit = training[rows]
    values = audit.values[:, 0]
    mine = challenger.believe_honestly(audit)
    mean, sd = mine.mean[:, 0], challenger.sd(mine, audit.replicates)
    covered = cross_coverage(values, mean, sd)
    scores: dict[str, float | None] = {
        "audit_wells": float(len(values)),
        "rmse": rmse(values, mean),
        "nll": nll(values, mean, sd),
        "spearman": spearman(values, mean),
        "coverage90": covered,
        "temperature": challenger.calibrations[0].temperature,
        "growth_below": challenger.calibrations[0].below,
        "growth_above": challenger.calibrations[0].above,
        "far_out": far_out(values, mean, sd),
        "noise_sd": _noise_sd(mine),
        "replicate_sd": replicate_sd(training.replicates[:, 0], training.spread[:, 0]),
        **prior_scores(challenger.surrogate),
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
    worse = tailed_nll(values, mean, sd) - tailed_nll(
        values, theirs.mean[:, 0], champion.sd(theirs, audit.replicates)
    )
    return _compared(worse, scores)


def prior_scores(surrogate: Surrogate) -> dict[str, float]:
    """What each earlier screen brings, in nats a well out of fold, as scores of a snapshot."""
    if not isinstance(surrogate, TellsPriorHelp):
        return {}
    return {PRIOR_SCORE + name: nats for name, nats in surrogate.prior_help().items()}


def _noise_sd(belief: Belief) -> float | None:
    """The noise of one well as the surrogate has it, uncalibrated."""
    return float(np.median(belief.aleatoric_sd[:, 0])) if len(belief) else None


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
