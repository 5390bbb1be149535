"""The same question in other units, or about a library in another order."""

from dataclasses import replace

import numpy as np
from botorch.models import SingleTaskGP
from torch import Tensor

from loop.ports.arrays import Combinations, IntArray
from loop.ports.engine import BatchRequest, Surrogate
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, LinearModel, ModelOnly


def in_other_units(asked: BatchRequest, factor: float, shift: float) -> BatchRequest | None:
    """All values of the only readout times a factor plus a shift; None where there are several."""
    if len(asked.readouts) > 1 or type(_members(asked.surrogate)) is not LinearDraws:
        return None
    readout = asked.readout
    target = None if readout.target is None else factor * readout.target + shift
    low, high = factor * readout.low + shift, factor * readout.high + shift
    training = asked.training
    if training is not None:
        values, spread = factor * training.values + shift, factor * training.spread
        training = replace(training, values=values, spread=spread)
    return replace(
        asked,
        readouts=(replace(readout, low=low, high=high, target=target),),
        best=None if asked.best is None else factor * asked.best + shift,
        surrogate=_like(asked.surrogate, _Rescaled(factor, shift), factor, shift),
        training=training,
    )


def in_another_order(asked: BatchRequest, places: IntArray) -> tuple[BatchRequest, IntArray] | None:
    """Each perturbagen at a new place; the places must keep the forbidden pair (0, 1).

    None where there are several readouts, a model that knows perturbagens by their place, or one
    without noise, to which many candidates are exactly alike.
    """
    if type(asked.surrogate) is not LinearDraws:
        return None
    taken = reordered(asked.space.unrank(asked.taken), places)
    representations, training = asked.representations, asked.training
    if representations is not None:
        order = np.argsort(places)
        representations = replace(
            representations,
            perturbagens=representations.perturbagens[order],
            known=representations.known[order],
            doses=representations.doses[order],
        )
    if training is not None:
        combinations = reordered(training.combinations, places)
        training = replace(training, combinations=combinations)
    moved = replace(
        asked,
        taken=np.sort(asked.space.rank(taken)),
        pending=reordered(asked.pending, places),
        surrogate=_like(asked.surrogate, _Reordered(places)),
        representations=representations,
        training=training,
    )
    return moved, places


def reordered(combinations: Combinations, places: IntArray) -> Combinations:
    """The same pairs where perturbagens stand at new places."""
    components = np.sort(places[combinations.components], axis=1)
    return Combinations(components, combinations.levels, combinations.contexts)


class _Rescaled(LinearDraws):
    """Every prediction times a factor plus a shift."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__(noise=0.5 * factor)
        self._factor = factor
        self._shift = shift

    def member_means(self, combinations: Combinations) -> Tensor:
        return self._factor * super().member_means(combinations) + self._shift


class _Reordered(LinearDraws):
    """Predictions for perturbagens that stand at new places, shape (P,)."""

    def __init__(self, places: IntArray) -> None:
        super().__init__()
        self._old = np.argsort(places)

    def member_means(self, combinations: Combinations) -> Tensor:
        return super().member_means(reordered(combinations, self._old))


def _like(
    surrogate: Surrogate, members: LinearDraws, factor: float = 1.0, shift: float = 0.0
) -> Surrogate:
    """Members, or what shows only their model or a process, as the surrogate does."""
    if not isinstance(surrogate, ModelOnly):
        return members
    if _is_process(surrogate):
        return ModelOnly(gaussian_process(factor, shift))
    return ModelOnly(members.model())


def _is_process(surrogate: Surrogate) -> bool:
    return isinstance(surrogate.model(), SingleTaskGP)


def _members(surrogate: Surrogate) -> object:
    model = surrogate.model()
    if isinstance(model, SingleTaskGP) and model.num_outputs == 1:
        return LinearDraws()
    return model._members if isinstance(model, LinearModel) else surrogate
