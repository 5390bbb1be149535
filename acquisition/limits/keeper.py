"""Keeps a batch to all of its limits, while it grows."""

import copy
import math
from collections.abc import Sequence

import numpy as np

from acquisition.limits.budget import Budget
from acquisition.limits.group_limits import GroupLimits
from acquisition.limits.limit import Limit
from acquisition.limits.use_limits import UseLimits
from loop.ports.arrays import BoolArray, Combinations, FloatArray
from loop.ports.engine import Limits


class Keeper:
    """All limits of one batch, counting as it grows. Loads no torch.

    Args:
        limits: What the batch must keep to; never changed.
        size: How many choices remain, for limits that look ahead.
    """

    def __init__(self, limits: Limits, size: int = 0) -> None:
        self.limits: list[Limit] = []
        self.budget: Budget | None = None
        if limits.max_uses:
            self.limits.append(UseLimits(limits.max_uses, limits.uses))
        if limits.groups:
            self.limits.append(GroupLimits(limits.groups, size))
        if math.isfinite(limits.money):
            self.budget = Budget(limits, size)
            self.limits.append(self.budget)

    def allowed(self, combinations: Combinations, without: Sequence[Limit] = ()) -> BoolArray:
        """Which perturbations may be chosen next, shape (N,); `without` limits are not asked."""
        answer = np.ones(len(combinations), dtype=np.bool_)
        for limit in self.limits:
            if limit not in without:
                answer &= limit.allowed(combinations)
        return answer

    def may_grow(self, combinations: Combinations) -> BoolArray:
        """Which perturbations may be part of one that is chosen next, shape (N,).

        What a group is owed need not be in the part.
        """
        groups = [limit for limit in self.limits if isinstance(limit, GroupLimits)]
        answer = self.allowed(combinations, without=groups)
        for limit in groups:
            answer &= limit.has_room(combinations)
        return answer

    def count(self, combination: Combinations) -> None:
        """Remember one perturbation (N = 1) that joins the batch."""
        for limit in self.limits:
            limit.count(combination)

    def owing(self) -> list[tuple[BoolArray, int]]:
        """The members of each group that is still owed choices, and how many."""
        groups = (limit for limit in self.limits if isinstance(limit, GroupLimits))
        return [each for limit in groups for each in limit.owing()]

    def without_budget(self) -> "Keeper":
        """The same limits, money left out; they go on counting for both."""
        other = copy.copy(self)
        other.limits = [limit for limit in self.limits if limit is not self.budget]
        other.budget = None
        return other

    def charged(self, utilities: FloatArray, combinations: Combinations) -> FloatArray:
        """Utilities less what their candidates' costs are worth, shape (N,).

        Never more than what is given, and the very same array as long as money is no matter.
        """
        if self.budget is None or not self.budget.rate:
            return utilities
        return utilities - self.budget.rate * self.budget.prices(combinations)

    def notes(self, passed_over: Combinations) -> tuple[str, ...]:
        """What limits did to the choice, given candidates that rate higher than the last chosen."""
        said = (limit.note(passed_over) for limit in self.limits)
        return tuple(each for each in said if each)
