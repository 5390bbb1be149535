"""A committee: several surrogates, each listened to by what it said of wells it had not seen.

Which surrogate is best differs from screen to screen (`docs/benchmarks.md`), and nobody knows
beforehand. The committee trains all of them and believes the mixture of their beliefs, with
weights from out-of-fold predictions (`surrogate.stacking`).
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from loop.domain.errors import NothingMeasuredError
from loop.ports.arrays import Belief, Combinations, FloatArray, SurrogateState, TrainingSet
from loop.ports.engine import Progress, Surrogate, SurrogateProblem, TellsPriorHelp, silent
from surrogate.additive_low_rank import AdditiveLowRank
from surrogate.botorch_model import MemberModel
from surrogate.ensemble import SETTINGS as OF_ENSEMBLE
from surrogate.ensemble import Ensemble
from surrogate.gaussian_process import LARGEST, GaussianProcess
from surrogate.gaussian_process import SETTINGS as OF_PROCESS
from surrogate.linear import Linear
from surrogate.mixed_tiler import MixedTiler, Part, put_together, side_by_side, taken_apart
from surrogate.nested_state import nested, unnested
from surrogate.placement import Placement
from surrogate.settings import Range, read_settings
from surrogate.sparse_gaussian_process import SparseGaussianProcess
from surrogate.stacking import stacking_weights

OWN_SETTINGS: Mapping[str, Range] = {"doubt": Range(8.0, 0.1, 1e6)}
_DRAWS = 64
_LEAST_JUDGES = 20


class Panelist(Surrogate, Protocol):
    """A surrogate that a committee can hear: it gives draws and the noise of a well."""

    def member_means(self, combinations: Combinations) -> Tensor:
        """What each member or draw predicts, shape (S, N, m)."""
        ...

    def noise_sd(self) -> Tensor:
        """SD of a measured well about its truth, shape (m,)."""
        ...


@runtime_checkable
class Tiled(Protocol):
    """A surrogate that may tell tiles of its draws."""

    def tiler(self, items: Combinations, readouts: tuple[int, ...], precision: str) -> Part | None:
        """A tiler over items."""
        ...


@runtime_checkable
class TellsMoves(Protocol):
    """A surrogate that can tell which observations moved a belief."""

    @property
    def moved_exactly(self) -> bool:
        """Whether the moves sum to the predicted mean less the prior mean."""
        ...

    def moved_by(self, combinations: Combinations, training: TrainingSet) -> FloatArray:
        """How far each observation moves each mean of the first readout, shape (N, n)."""
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A place on a committee: who sits there, with which settings, at how many observations."""

    name: str
    make: Callable[[SurrogateProblem], Panelist]
    settings: Mapping[str, Range]
    observations: range = range(sys.maxsize)


_LITTLE, _MUCH = range(LARGEST + 1), range(LARGEST + 1, sys.maxsize)
SEATS = (
    Seat("gaussian-process", GaussianProcess, OF_PROCESS, _LITTLE),
    Seat(
        "sparse-gaussian-process",
        SparseGaussianProcess,
        SparseGaussianProcess.known_settings,
        _MUCH,
    ),
    Seat("additive-low-rank", AdditiveLowRank, AdditiveLowRank.known_settings, _LITTLE),
    Seat("linear", Linear, Linear.known_settings),
    Seat("ensemble", Ensemble, OF_ENSEMBLE, _MUCH),
)
SETTINGS = {
    **{name: allowed for seat in SEATS for name, allowed in seat.settings.items()},
    **OWN_SETTINGS,
}


class Committee:
    """Several surrogates behind one; see the module.

    A fit and a prediction cost the sum of the members'. Settings: those of the surrogates on it
    (each takes what it knows) and `doubt`, how many wells' worth of evidence stands for equal
    weights. Past 2,000 observations a sparse Gaussian process takes the exact one's place, the
    low-rank map leaves because its sampling would take too long, and the ensemble joins: with fewer
    it made the committee slower and not better (decision 0008).
    """

    family = "committee"

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If a setting is unknown or out of range, or there is no such device.
        """
        read_settings("committee", problem.settings, SETTINGS)
        self._doubt = read_settings("committee", _known(problem, OWN_SETTINGS), OWN_SETTINGS)[
            "doubt"
        ]
        self._problem = problem
        self._sitting: dict[str, Panelist] = {}
        self._weights: FloatArray = np.zeros(0)
        # A panelist's own refusal of a setting should come now, not days later.
        for seat in SEATS:
            self._made(seat)

    @property
    def weights(self) -> Mapping[str, float]:
        """How much each surrogate is listened to, by name."""
        return dict(zip(self._sitting, self._weights.tolist(), strict=True))

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Train every surrogate, warm where it sat before, and weigh them out of fold.

        Raises:
            NothingMeasuredError: If no value is finite.
        """
        entitled = [seat for seat in SEATS if len(training) in seat.observations]
        streams = rng.spawn(len(entitled))
        sitting: dict[str, Panelist] = {}
        for at, (seat, stream) in enumerate(zip(entitled, streams, strict=True)):
            surrogate = self._made(seat)
            if seat.name in self._sitting:
                surrogate.restore(self._sitting[seat.name].state())
            surrogate.fit(training, stream, _part(progress, at / len(entitled), 1 / len(entitled)))
            sitting[seat.name] = surrogate
        self._sitting = sitting
        self._weights = stacking_weights(
            np.stack([_log_scores(each, training) for each in sitting.values()], axis=1),
            self._doubt,
        )

    def believe(self, combinations: Combinations) -> Belief:
        """Mean and spread of the mixture; what the surrogates disagree about is epistemic."""
        return self._mixed([each.believe(combinations) for each in self._known()])

    def out_of_fold(self) -> Belief:
        """The mixture of what each says of rows that it had not seen."""
        return self._mixed([each.out_of_fold() for each in self._known()])

    def member_means(self, combinations: Combinations) -> Tensor:
        """64 draws, shape (S, N, m), float32, readout units: each surrogate's share by its weight.

        Shares are whole pairs of draws; what that rounds off is put right, so that the draws' mean
        is the belief's.
        """
        return self._drawn([each.member_means(combinations) for each in self._known()])

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> MixedTiler | None:
        """A tiler over items; None where a surrogate on the committee has none.

        The committee's draws are mixtures of the draws on it, and so of the functions that those
        are mixtures of; the same arithmetic on weights gives the weights.
        """
        parts: list[Part] = []
        mixtures: list[Tensor] = []
        for each in self._known():
            tiler = each.tiler(items, readouts, precision) if isinstance(each, Tiled) else None
            if tiler is None:
                return None
            some, mixture = taken_apart(tiler, len(readouts))
            parts += some
            mixtures.append(mixture)
        # A function, or the centre, stands where a perturbation does: (S, F + 1, R').
        said = [each.permute(1, 2, 0) for each in side_by_side(mixtures)]
        placement = Placement.of(self._problem.compute)
        return put_together(tuple(parts), self._drawn(said).permute(2, 0, 1), placement)

    def _drawn(self, said: list[Tensor]) -> Tensor:
        """The committee's draws, shape (S, N, m), from what its members' draws say."""
        shares = _shared_out(self._weights, _DRAWS)
        picked = [_as_many(m, share) for m, share in zip(said, shares, strict=True)]
        # All first halves, then all second ones: those that mirror draws find them so.
        halves = [(each[: len(each) // 2], each[len(each) // 2 :]) for each in picked]
        draws = torch.cat([half for side in zip(*halves, strict=True) for half in side])
        means = torch.stack([each.mean(dim=0) for each in said])
        weights = torch.as_tensor(self._weights).to(means)
        whole: Tensor = draws + (torch.tensordot(weights, means, dims=1) - draws.mean(dim=0))
        return whole

    def noise_sd(self) -> Tensor:
        """SD of a measured well about its truth, shape (m,), by weight."""
        squares = [
            weight * each.noise_sd().square()
            for weight, each in zip(self._weights.tolist(), self._known(), strict=True)
        ]
        return torch.stack(squares).sum(dim=0).sqrt()

    @property
    def moved_exactly(self) -> bool:
        """Whether every surrogate on it tells its moves exactly."""
        return all(isinstance(e, TellsMoves) and e.moved_exactly for e in self._sitting.values())

    def moved_by(self, combinations: Combinations, training: TrainingSet) -> FloatArray:
        """How far each observation moves each mean from the prior mean, (N, n).

        By weight, from those surrogates that can tell; so it is the whole committee's only where
        all can.
        """
        told = [
            (weight, each.moved_by(combinations, training))
            for weight, each in zip(self._weights.tolist(), self._known(), strict=True)
            if isinstance(each, TellsMoves)
        ]
        total = sum(weight for weight, _ in told)
        return np.asarray(np.sum([weight * moves for weight, moves in told], axis=0) / total)

    def prior_help(self) -> dict[str, float]:
        """Nats a well that each earlier screen brings, by the first surrogate that can tell."""
        for each in self._known():
            if isinstance(each, TellsPriorHelp):
                return dict(each.prior_help())
        return {}

    def state(self) -> SurrogateState:
        """The states of all surrogates, and their weights."""
        self._known()
        whole = nested({name: each.state() for name, each in self._sitting.items()})
        return SurrogateState(
            {**whole.arrays, "weights": self._weights},
            {**whole.settings, "seats": list(self._sitting)},
        )

    def restore(self, state: SurrogateState) -> None:
        """Become the committee that gave `state`.

        Raises:
            IncompatibleError: If a surrogate on it was learned for something else.
        """
        seats = {seat.name: seat for seat in SEATS}
        sitting = {}
        for name, part in unnested(state, list(state.settings["seats"])).items():  # type: ignore[call-overload]
            sitting[name] = self._made(seats[name])
            sitting[name].restore(part)
        self._sitting = sitting
        self._weights = np.array(state.arrays["weights"], dtype=np.float64)

    def model(self) -> MemberModel:
        """The BoTorch model whose posterior holds every draw."""
        self._known()
        return MemberModel(self.member_means, self._problem.readouts)

    def _made(self, seat: Seat) -> Panelist:
        folder = self._problem.checkpoint
        return seat.make(
            replace(
                self._problem,
                settings=_known(self._problem, seat.settings),
                checkpoint=None if folder is None else folder / seat.name,
            )
        )

    def _known(self) -> list[Panelist]:
        if not self._sitting:
            msg = "This surrogate has learned nothing yet; fit or restore it first."
            raise NothingMeasuredError(msg)
        return list(self._sitting.values())

    def _mixed(self, beliefs: list[Belief]) -> Belief:
        weights = self._weights[:, None, None]
        means = np.stack([each.mean for each in beliefs])
        mean = (weights * means).sum(axis=0)
        inside = np.stack([each.epistemic_sd for each in beliefs]) ** 2
        noise = np.stack([each.aleatoric_sd for each in beliefs]) ** 2
        return Belief(
            mean,
            np.sqrt((weights * (inside + (means - mean) ** 2)).sum(axis=0)),
            np.sqrt((weights * noise).sum(axis=0)),
        )


def _known(
    problem: SurrogateProblem, settings: Mapping[str, Range]
) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in problem.settings.items() if name in settings}


def _log_scores(surrogate: Panelist, training: TrainingSet) -> FloatArray:
    """Log density of each judging value out of fold, shape (n,): audit wells, or all if few."""
    belief = surrogate.out_of_fold()
    there = np.isfinite(training.values)
    audit = there & training.audit[:, None]
    judges = audit if audit.sum() >= _LEAST_JUDGES else there
    sd = belief.sd_of_means(training.replicates)
    score: FloatArray = -0.5 * ((training.values - belief.mean) / sd)[judges] ** 2
    return score - np.log(sd[judges])


def _shared_out(weights: FloatArray, draws: int) -> list[int]:
    """Even numbers of draws that sum to `draws`, as near to the weights as they come."""
    pairs = draws // 2
    exact = weights * pairs
    shares = np.floor(exact).astype(int)
    for at in np.argsort(shares - exact, kind="stable")[: pairs - shares.sum()]:
        shares[at] += 1
    return [int(2 * share) for share in shares]


def _as_many(means: Tensor, count: int) -> Tensor:
    """`count` members, repeated or left out as need be, about the mean of all, (count, N, m)."""
    rows = torch.arange(count, device=means.device) % len(means)
    # Draws come in two halves of opposite sign, so a share takes as many from each.
    half = len(means) // 2
    if count < len(means):
        rows = torch.cat([torch.arange(count // 2), half + torch.arange(count // 2)]).to(rows)
    picked = means[rows]
    if not count:
        return picked
    return picked + (means.mean(dim=0) - picked.mean(dim=0))


def _part(progress: Progress, start: float, width: float) -> Progress:
    def tell(share: float, doing: str) -> None:
        progress(start + width * share, doing)

    return tell
