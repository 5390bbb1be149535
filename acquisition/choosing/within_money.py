"""Choose the batch of most value that the money allows."""

import copy

import numpy as np
from scipy.special import logsumexp

from acquisition.choosing.contributions import Scale
from acquisition.choosing.field import Field
from acquisition.choosing.picks import Picks
from acquisition.limits.exchange_rate import exchange_rate
from acquisition.limits.keeper import Keeper

_AROUND = tuple(2.0**step for step in (-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3))


def plain_choice(field: Field, keeper: Keeper, picks: Picks) -> tuple[Keeper, Picks] | None:
    """What would be chosen if money were no matter, where it can be paid; None where it cannot.

    Where the pool runs out before the batch is full, the cheapest must be affordable besides.
    """
    budget = keeper.budget
    if budget is None:
        return keeper, picks
    trial, chosen = copy.deepcopy(keeper), picks.copy()
    blind = trial.without_budget()
    field.extend(blind, chosen)
    combinations = field.request.space.unrank(chosen.array()[len(picks) :])
    for row in range(len(combinations)):
        if trial.budget is not None:
            trial.budget.count(combinations[row : row + 1])
    enough = trial.budget is not None and trial.budget.suffices()
    return (trial, chosen) if enough else None


def rate_within(field: Field, keeper: Keeper, size: int) -> float:
    """The exchange rate at which the best of a pool, each by itself, can be paid."""
    budget = keeper.budget
    if budget is None:
        return 0.0
    prices = budget.prices(field.pool.combinations)
    return exchange_rate(field.utilities, prices, min(size, len(prices)), budget.left)


def best_within(
    field: Field, keeper: Keeper, picks: Picks, rate: float
) -> tuple[Keeper, Picks] | None:
    """The batch of most value among those chosen at rates around one; None if none gets full.

    What a joint choice gains for its money is known only once it is made. All of these keep to
    the budget, whatever their rate. One that pays more of what it owes comes before any value.
    """
    best: tuple[tuple[int, float], Keeper, Picks] | None = None
    for factor in (0.0, *_AROUND):
        trial, chosen = copy.deepcopy(keeper), picks.copy()
        if trial.budget is not None:
            trial.budget.rate = rate * factor
        field.extend(trial, chosen)
        if len(chosen) < field.request.size:
            continue
        value = (-chosen.out_of_turn, _value(chosen, field.scale))
        if best is None or value > best[0]:
            best = (value, trial, chosen)
    return None if best is None else best[1:]


def _value(picks: Picks, scale: Scale) -> float:
    scores = np.array(picks.scores)
    return float(logsumexp(scores) if scale is Scale.LOG else scores.sum())
