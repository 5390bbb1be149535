"""A batch that grows part by part, and what is left to be kept at each step."""

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from loop.conflicts import can_be_completed
from loop.constraints import binds, broken_by, remaining
from loop.domain.batch import ChosenBy
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import Chosen, Limits
from loop.question import Known, Question
from loop.space import Drawn

Told = TypeVar("Told", IntArray, FloatArray)


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen addresses, shape (q,): must-haves, those by lot, then the acquisitions'.

    `scores` and `contributions` are NaN and `ranks` 0 where no acquisition chose; `inclusion` is
    the chance to be drawn of those by lot, NaN for others. `notes` are sentences about the whole
    choice, `values`, shape (S,), what the main acquisition says of its choices (`Chosen`).
    """

    addresses: IntArray
    chosen_by: tuple[ChosenBy, ...]
    scores: FloatArray
    reasons: tuple[str, ...]
    inclusion: FloatArray
    ranks: IntArray
    contributions: FloatArray
    notes: tuple[str, ...] = ()
    values: FloatArray = field(default_factory=lambda: np.zeros(0))


class Draft:
    """The part of a batch that is fixed so far.

    Args:
        question: What is asked.
        known: What is known.
        size: Choices to be made beside the references.
    """

    def __init__(self, question: Question, known: Known, size: int) -> None:
        self.question, self.known = question, known
        self._size = size
        self._parts: list[Selection] = []
        self.supply = question.supply(known.taken) if binds(question.limits) else None

    @property
    def size(self) -> int:
        """All choices of the batch, references included."""
        return self._size + len(self.question.references)

    @property
    def missing(self) -> int:
        """Choices still to be made."""
        return self._size - sum(len(part.addresses) for part in self._parts)

    @property
    def addresses(self) -> IntArray:
        """What was chosen so far, in that order."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(p.addresses for p in self._parts)])

    @property
    def taken(self) -> IntArray:
        """Sorted addresses that are not on offer any more."""
        return np.union1d(self.known.taken, self.addresses)

    @property
    def pending(self) -> Combinations:
        """What is on its way, or will be with this batch."""
        chosen = self.question.space.unrank(self.addresses)
        return Combinations.joined([self.known.pending, chosen])

    @property
    def fixed(self) -> Combinations:
        """The references and what was chosen so far."""
        chosen = self.question.space.unrank(self.addresses)
        return Combinations.joined([self.question.references, chosen])

    @property
    def limits(self) -> Limits:
        """What the choices still to be made must keep to."""
        return remaining(self.question.limits, self.fixed)

    def limits_of_share(self, count: int) -> Limits:
        """What `count` of the missing choices must keep to, so that the others still can.

        They get their share of the money, and owe groups only what the others could not pay.
        """
        limits, others = self.limits, self.missing - count
        groups = tuple(
            replace(group, at_least=max(0, group.at_least - others)) for group in limits.groups
        )
        return replace(limits, money=limits.money * count / self.missing, groups=groups)

    def could_be_completed_with(self, addresses: IntArray) -> bool:
        """Whether the batch can keep its limits if these are chosen next."""
        if self.supply is None:
            return True
        batch = Combinations.joined([self.fixed, self.question.space.unrank(addresses)])
        return can_be_completed(
            self.question.limits, batch, self.supply, self.missing - len(addresses)
        )

    def require(self, addresses: IntArray) -> None:
        """Put must-haves in."""
        why = "Must be included: constraints.must_include names it."
        self._put(addresses, ChosenBy.REQUIRED, (why,) * len(addresses))

    def draw(self, drawn: Drawn, why: str) -> None:
        """Put wells drawn by lot in."""
        count = len(drawn.addresses)
        self._put(drawn.addresses, ChosenBy.AUDIT, (why,) * count, drawn.inclusion_probability)

    def follow(self, chosen: Chosen, prefix: str = "", speaks: bool = False) -> None:
        """Put what an acquisition chose in.

        Where it `speaks` for the batch, its values are the batch's, and shares of them are kept.
        """
        count = len(chosen.addresses)
        part = Selection(
            chosen.addresses,
            (ChosenBy.ACQUISITION,) * count,
            chosen.scores,
            tuple(prefix + reason for reason in chosen.reasons),
            np.full(count, np.nan),
            _or(chosen.ranks, count, 0),
            _or(chosen.contributions if speaks else np.zeros(0), count),
            chosen.notes,
            chosen.values if speaks else np.zeros(0),
        )
        self._parts.append(part)

    def note(self, sentence: str) -> None:
        """Remember a sentence about the whole choice."""
        self._put(np.zeros(0, dtype=np.int64), ChosenBy.AUDIT, (), notes=(sentence,))

    def _put(
        self,
        addresses: IntArray,
        by: ChosenBy,
        reasons: tuple[str, ...],
        inclusion: float = np.nan,
        notes: tuple[str, ...] = (),
    ) -> None:
        count = len(addresses)
        nothing = np.full(count, np.nan)
        ranks = np.zeros(count, dtype=np.int64)
        chances = np.full(count, inclusion)
        self._parts.append(
            Selection(addresses, (by,) * count, nothing, reasons, chances, ranks, nothing, notes)
        )

    def selection(self) -> Selection:
        """The whole batch.

        Raises:
            IncompatibleError: If an acquisition broke a limit; no such batch leaves this house.
        """
        broken = broken_by(self.question.limits, self.fixed)
        if broken is not None and self.supply is not None:
            msg = (
                f"The acquisition chose a batch that {broken}; it does not keep the campaign's "
                "constraints, and nothing is proposed: choose acquisition 'auto'."
            )
            raise IncompatibleError(msg)
        parts = self._parts
        return Selection(
            self.addresses,
            tuple(by for part in parts for by in part.chosen_by),
            np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
            tuple(reason for part in parts for reason in part.reasons),
            np.concatenate([np.zeros(0), *(part.inclusion for part in parts)]),
            np.concatenate([np.zeros(0, dtype=np.int64), *(part.ranks for part in parts)]),
            np.concatenate([np.zeros(0), *(part.contributions for part in parts)]),
            tuple(note for part in parts for note in part.notes),
            np.concatenate([np.zeros(0), *(part.values for part in parts)]),
        )


def _or(told: Told, count: int, unknown: float = np.nan) -> Told:
    """What an acquisition told of each choice; unknown of all where it told nothing."""
    return told if len(told) == count else np.full(count, unknown, dtype=told.dtype)
