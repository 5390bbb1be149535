"""How many choices must, and how many may, hold a perturbagen of a group."""

from collections.abc import Sequence

import numpy as np

from loop.ports.arrays import BoolArray, Combinations, IntArray
from loop.ports.engine import Group


class GroupLimits:
    """What every group is still owed, and what room it has.

    Choices are free as long as more of them remain than the groups are owed together; then only
    what serves a group that is owed the most may be chosen, and what serves all those that every
    remaining choice must serve.

    Args:
        groups: At least one.
        size: How many choices remain.
    """

    def __init__(self, groups: Sequence[Group], size: int) -> None:
        self._groups = tuple(groups)
        # The last entry answers for -1, the empty slot.
        self._members = np.array([np.append(group.members, False) for group in groups])
        self._owed = np.array([group.at_least for group in groups], dtype=np.int64)
        unlimited = np.iinfo(np.int64).max
        room = [unlimited if group.at_most is None else group.at_most for group in groups]
        self._room = np.array(room, dtype=np.int64)
        self._remaining = size
        self._forced = 0

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which perturbations may be chosen next, shape (N,)."""
        answer = self.has_room(combinations)
        if self._must_serve:
            answer &= self._serves_enough(combinations)
        return answer

    def has_room(self, combinations: Combinations) -> BoolArray:
        """Which perturbations hold nothing of a group that may have no more, shape (N,)."""
        full = self._room <= 0
        return np.asarray(~self._served(combinations, full).any(axis=1))

    def count(self, combination: Combinations) -> None:
        """Take one choice (N = 1) off what is owed, and off the room."""
        every = np.ones(len(self._groups), dtype=np.bool_)
        served = self._served(combination, every)[0]
        self._forced += self._must_serve
        self._owed = np.maximum(self._owed - served, 0)
        self._room = self._room - served
        self._remaining -= 1

    def owing(self) -> list[tuple[BoolArray, int]]:
        """The members, shape (P,), of each group that is owed something, and how much it is."""
        return [
            (self._members[at][:-1], int(self._owed[at])) for at in np.flatnonzero(self._owed > 0)
        ]

    def ending(self) -> str:
        """That a group's candidates are used up, or that all others' are."""
        if self._must_serve:
            most = int(self._owed.argmax())
            owed = int(self._owed[most])
            return (
                f", but group {self._groups[most].name!r} still needs {owed:,} "
                f"{'choice' if owed == 1 else 'choices'} and no candidate is left for it; "
                "lower its at_least, or widen the group"
            )
        names = [repr(self._groups[at].name) for at in np.flatnonzero(self._room <= 0)]
        return (
            f", but {' and '.join(names) or 'the groups'} may have no more choices and nothing "
            "else is left; raise at_most, or ask for fewer"
        )

    def note(self, passed_over: Combinations) -> str:
        """What the groups did to the choice; empty: nothing."""
        full = self._room <= 0
        kept_out = int(self._served(passed_over, full).any(axis=1).sum())
        said = []
        if self._forced:
            said.append(f"Groups decided the last {self._forced:,} choices")
        if kept_out:
            names = " and ".join(repr(self._groups[at].name) for at in np.flatnonzero(full))
            said.append(
                f"{'at_most of' if said else 'At_most of'} {names} kept out {kept_out:,} "
                "candidates of the short list that rate higher than the last chosen"
            )
        return "; ".join(said) + "." if said else ""

    @property
    def _must_serve(self) -> bool:
        owed = int(self._owed.sum())
        return owed > 0 and owed >= self._remaining

    def _serves_enough(self, combinations: Combinations) -> BoolArray:
        owed = self._owed > 0
        served = self._served(combinations, owed)
        # Where groups overlap, one choice may serve several, and sometimes has to.
        most = int(self._members[owed].sum(axis=0).max()) * combinations.slots
        rest = (self._remaining - 1) * min(most, int(owed.sum()))
        answer = served.sum(axis=1) >= max(1, int(self._owed.sum()) - rest)
        dues = self._owed[owed]
        answer &= served[:, dues == dues.max()].any(axis=1)
        answer &= served[:, dues >= self._remaining].all(axis=1)
        return np.asarray(answer)

    def _served(self, combinations: Combinations, which: BoolArray) -> BoolArray:
        """Which of some groups each perturbation serves, shape (N, groups)."""
        places: IntArray = np.flatnonzero(which)
        answer = np.zeros((len(combinations), len(places)), dtype=np.bool_)
        for column, place in enumerate(places):
            answer[:, column] = self._members[place][combinations.components].any(axis=1)
        return answer
