"""Reach state: the perturbations predicted to come nearest to a wanted state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.belief.marginals import Marginals
from acquisition.belief.several_predictions import of_each
from acquisition.choosing.contributions import Scale
from acquisition.choosing.suits import check_goal
from acquisition.rules.observed_scales import observed_sds, observed_values
from acquisition.settings import Number, read_settings
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_NAME = "reach-state"


class ReachState:
    """Choose by the predicted distance to the wanted state, less beta times its doubt.

    The state is the values of the readouts that have a `target`. The distance is the root of the
    mean square miss over them, weighed by their `weight`, each miss in SDs of what was observed of
    its readout (of a well's noise before anything was), so that a unit changes nothing. The root
    of the expected square counts doubt as distance; the bonus, beta SDs of the distance, as in
    `upper-confidence-bound`, counts it as a chance. Noise of wells counts in neither. Candidates
    are rated one by one, and what is pending changes nothing.
    """

    settings: ClassVar[Mapping[str, Number]] = {**SCANNING, "beta": Number(1.0, 0.0)}

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.REACH_STATE,)

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings(_NAME, settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for goal 'reach-state'; a score is minus the hoped-for distance, in SDs.

        Raises:
            InvalidError: Also if no readout has a wanted value.
        """
        check_goal(_NAME, request, self.served(request.settings))
        settings = read_settings(_NAME, request.settings, self.settings)
        wanted = _wanted(request.readouts)
        sds = observed_sds(request.training, wanted)
        seen, beta = observed_values(request.training, wanted), settings["beta"]

        def state(beliefs: tuple[Marginals, ...]) -> State:
            noise = np.array([each.noise_sd for each in beliefs])
            scales = np.where(np.isnan(sds), noise, sds)
            return State.of([request.readouts[at] for at in wanted], scales)

        def clause(beliefs: tuple[Marginals, ...]) -> Sequence[str]:
            wish = state(beliefs)
            nearest = f" (nearest observed so far: {wish.nearest(seen):.2g})" if len(seen) else ""
            expected = wish.distance(beliefs).expected.tolist()
            predicted = of_each(beliefs, [request.readouts[at] for at in wanted])
            return [
                f"{said}, {far:.2g} SD from the wanted state{nearest}"
                for said, far in zip(predicted, expected, strict=True)
            ]

        rule = Rule(
            utility=lambda beliefs: -state(beliefs).distance(beliefs).hoped_for(beta),
            clause=clause,
            readouts=wanted,
            scale=Scale.EXCESS,
        )
        return choose_batch(request, rule, settings, rng, progress)


def _wanted(readouts: Sequence[Readout]) -> tuple[int, ...]:
    """The places of the readouts that say what is wanted of them."""
    places = tuple(at for at, each in enumerate(readouts) if each.target is not None)
    if not places:
        names = ", ".join(repr(each.name) for each in readouts)
        msg = (
            f"Goal {Goal.REACH_STATE.value!r} needs the wanted value of a readout, and none of "
            f"{names} has one; add target = VALUE to a readout."
        )
        raise InvalidError(msg)
    return places


@dataclass(frozen=True, slots=True)
class Distance:
    """The belief about the distance to the state, in SDs.

    `expected`, the root of the expected square, and `doubt`, its SD to first order, shape (N,).
    """

    expected: Tensor
    doubt: Tensor

    def hoped_for(self, beta: float) -> Tensor:
        """The distance if things go well, beta SDs below what is expected, shape (N,)."""
        return self.expected - beta * self.doubt


@dataclass(frozen=True, slots=True)
class State:
    """A wanted state: the values of R readouts, and what a square miss of each costs.

    The square distance is the sum of `costs` times square misses.
    """

    wanted: tuple[float, ...]
    costs: tuple[float, ...]

    @classmethod
    def of(cls, readouts: Sequence[Readout], scales: FloatArray) -> "State":
        """The targets of readouts, and their weights over the squares of their scales.

        Weights are shares of their sum. A scale that is unknown or 0 counts as 1.
        """
        total = sum(each.weight for each in readouts)
        known = np.where(np.nan_to_num(scales) > 0, scales, 1.0)
        costs = [each.weight / total / sd**2 for each, sd in zip(readouts, known, strict=True)]
        wanted = [0.0 if each.target is None else each.target for each in readouts]
        return cls(tuple(wanted), tuple(float(cost) for cost in costs))

    def nearest(self, values: FloatArray) -> float:
        """The distance of the nearest of some observed states, shape (n, R)."""
        square = (np.array(self.costs) * (values - np.array(self.wanted)) ** 2).sum(axis=1)
        return float(np.sqrt(square.min()))

    def distance(self, beliefs: tuple[Marginals, ...]) -> Distance:
        """The belief about the distance of N candidates.

        Exact mean and SD of the square: over components, and within a component (where readouts
        are taken as independent) by the moments of a square of a normal variable.
        """
        square, within = torch.zeros_like(beliefs[0].means), torch.zeros_like(beliefs[0].means)
        for wanted, cost, each in zip(self.wanted, self.costs, beliefs, strict=True):
            miss = (each.means - wanted) ** 2
            variance = torch.zeros_like(miss) if each.within is None else each.within**2
            square = square + cost * (miss + variance)
            within = within + cost**2 * (2 * variance**2 + 4 * variance * miss)
        between = square.var(dim=0) if len(square) > 1 else torch.zeros_like(square[0])
        mean, sd = square.mean(dim=0), (between + within.mean(dim=0)).sqrt()
        expected = mean.sqrt()
        # The SD of a root is that of the square over twice the root.
        doubt = torch.where(expected > 0, sd / (2 * expected).clamp_min(1e-300), 0.0)
        return Distance(expected, doubt)
