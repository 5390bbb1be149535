"""Pareto: the batch that moves the front between several readouts most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.belief.marginals import Marginals
from acquisition.belief.several_predictions import of_each
from acquisition.choosing.suits import check_goal
from acquisition.rules.front_gains import FrontGains, front_of
from acquisition.rules.observed_scales import observed_values
from acquisition.settings import Number, read_settings
from loop.domain.errors import InvalidError
from loop.domain.goal import Direction, Goal, Readout
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_NAME = "pareto"
_TRADES = 32


class Pareto:
    """Choose the candidates expected to add most to the volume that the observed front dominates.

    Readouts are turned so that more is better (`direction` up or down) and scaled by the range of
    what was observed; the reference point lies `margin` of that range below the worst observed
    value. Whatever adds nothing in any draw is rated by stage one.

    Stage one rates a candidate by how far mean + `beta` SD stands out of the observed front, and
    keeps lists of the best for 32 trades between the readouts, so that the whole front is covered.
    `draws` is 128 unless set: time grows with it, and with three readouts and more also with the
    front.
    """

    settings: ClassVar[Mapping[str, Number]] = {
        **SCANNING,
        "draws": Number(128, 1),
        "beta": Number(1.0, 0.0),
        "margin": Number(0.1, 0.0),
    }

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.PARETO,)

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings(_NAME, settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for goal 'pareto'.

        A score is the expected gain in hypervolume, given pending wells and those chosen before,
        as a share of the box between the worst and the best observed values.

        Raises:
            InvalidError: Also if there are fewer than two readouts, one has no direction, or
                nothing has been observed in all of them.
        """
        check_goal(_NAME, request, self.served(request.settings))
        settings = read_settings(_NAME, request.settings, self.settings)
        signs = _signs(request.readouts)
        places = tuple(range(len(signs)))
        units = _Units.of(observed_values(request.training, places), signs, request.readouts)
        front, beta = front_of(units.observed), settings["beta"]
        margin = settings["margin"]
        trades = torch.from_numpy(_trades(len(signs)))

        def optimistic(beliefs: tuple[Marginals, ...]) -> Tensor:
            return units.scaled(beliefs, beta)

        def clause(beliefs: tuple[Marginals, ...]) -> list[str]:
            said = _clauses(units.scaled(beliefs, 0.0), front, request.readouts)
            predicted = of_each(beliefs, request.readouts)
            return [one + two for one, two in zip(predicted, said, strict=True)]

        rule = Rule(
            utility=lambda beliefs: standing_out(optimistic(beliefs), torch.from_numpy(front)),
            clause=clause,
            favourites=lambda beliefs: _traded(optimistic(beliefs) + margin, trades),
            joint=lambda _, before, pool: FrontGains(
                front,
                np.full(len(signs), -margin),
                units.turned(before),
                units.turned(pool),
            ),
            readouts=places,
            brings="expected gain in hypervolume",
        )
        return choose_batch(request, rule, settings, rng, progress)


@dataclass(frozen=True, slots=True)
class _Units:
    """R readouts turned and scaled: 0 is the worst observed and 1 the best.

    `observed`, shape (n, R), in these units; a value y is `signs` * y / `ranges` - `zeros`.
    """

    observed: FloatArray
    signs: FloatArray
    ranges: FloatArray
    zeros: FloatArray

    @classmethod
    def of(cls, values: FloatArray, signs: FloatArray, readouts: Sequence[Readout]) -> "_Units":
        """From observed values, shape (n, R); a range of nothing counts as 1.

        Raises:
            InvalidError: If nothing was observed.
        """
        if not len(values):
            names = " and ".join(repr(each.name) for each in readouts)
            msg = (
                f"No perturbation has been observed in all of {names}, so there is no front to "
                "move; choose the first batch with acquisition 'space-filling' or 'random'."
            )
            raise InvalidError(msg)
        turned = signs * values
        span = np.ptp(turned, axis=0)
        ranges = np.where(span > 0, span, 1.0)
        zeros = turned.min(axis=0) / ranges
        return cls(turned / ranges - zeros, signs, ranges, zeros)

    def turned(self, draws: Tensor) -> Tensor:
        """Values of readouts in the last dimension, shape (..., R)."""
        scale, zero = torch.from_numpy(self.signs / self.ranges), torch.from_numpy(self.zeros)
        return draws * scale.to(draws) - zero.to(draws)

    def scaled(self, beliefs: tuple[Marginals, ...], beta: float) -> Tensor:
        """Means plus beta epistemic SDs towards the better, shape (N, R)."""
        means = torch.stack([each.mean for each in beliefs], dim=-1)
        if not beta:
            return self.turned(means)
        sds = torch.stack([each.epistemic_sd for each in beliefs], dim=-1)
        return self.turned(means + beta * sds * torch.from_numpy(self.signs).to(sds))


def standing_out(values: Tensor, front: Tensor) -> Tensor:
    """By how much each value has to fall to be dominated by some member of a front, shape (N,).

    Negative for one that is dominated. `values` have shape (N, R), `front` (F, R).

    Source:
        The additive epsilon indicator: Zitzler et al. (2003), "Performance assessment of
        multiobjective optimizers", IEEE Transactions on Evolutionary Computation.
    """
    least = values.new_full((len(values),), float("inf"))
    for member in front.to(values):
        least = least.minimum((values - member).amax(dim=-1))
    return least


def _signs(readouts: Sequence[Readout]) -> FloatArray:
    if len(readouts) < 2:
        msg = (
            f"Goal {Goal.PARETO.value!r} weighs readouts against each other and the campaign has "
            f"{len(readouts)}; add a second [[readout]], or choose goal 'maximize' or 'minimize'."
        )
        raise InvalidError(msg)
    for each in readouts:
        if each.direction is Direction.BOTH:
            msg = (
                f"Readout {each.name!r} has direction 'both', and goal {Goal.PARETO.value!r} "
                "must know which way is better; give it direction 'up' or 'down'."
            )
            raise InvalidError(msg)
    return np.array([-1.0 if each.direction is Direction.DOWN else 1.0 for each in readouts])


def _trades(readouts: int) -> FloatArray:
    """Directions of trades between readouts, spread evenly, shape (32, R); always the same.

    The first R are for one readout alone.
    """
    drawn = np.abs(np.random.default_rng(readouts).normal(size=(_TRADES - readouts, readouts)))
    return np.concatenate([np.eye(readouts), drawn / np.linalg.norm(drawn, axis=1)[:, None]])


def _traded(values: Tensor, trades: Tensor) -> Tensor:
    """How far each candidate reaches in each direction from the worst, shape (32, N).

    Source:
        Zhang, Golovin (2020), "Random hypervolume scalarizations for provable multi-objective
        black box optimization", ICML: the hypervolume is their mean.
    """
    # Dividing by 0 leaves a readout out, but for one that is at the worst and below.
    floor = trades.clamp_min(1e-9).to(values)
    return torch.stack([(values / trade).amin(dim=-1) for trade in floor])


def _clauses(means: Tensor, front: FloatArray, readouts: Sequence[Readout]) -> list[str]:
    """In which readouts each prediction is better than the front member it has most ado with."""
    members = torch.from_numpy(front).to(means)
    return [_clause(mean, members, readouts) for mean in means]


def _clause(mean: Tensor, front: Tensor, readouts: Sequence[Readout]) -> str:
    ahead = mean - front
    rival = ahead.amax(dim=-1).argmin()
    better = [each.name for each, by in zip(readouts, ahead[rival].tolist(), strict=True) if by > 0]
    worse = [each.name for each in readouts if each.name not in better]
    if not better:
        return ", short of the observed front unless it turns out better than predicted"
    but = f" and worse in {' and '.join(worse)}" if worse else ""
    return f", better in {' and '.join(better)}{but} than the nearest on the observed front"
