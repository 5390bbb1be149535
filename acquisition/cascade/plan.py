"""Who is to be let through by students, and what an audit makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from acquisition.cascade.audit import Recall, recall_of
from acquisition.cascade.dense_rows import DenseRows
from acquisition.cascade.student import Student
from acquisition.cascade.teaching import Key, Lessons
from acquisition.limits.offer import is_in
from acquisition.scatter import scattered
from loop.ports.arrays import BoolArray, FloatArray, IntArray
from loop.ports.engine import Section

_ROUNDING = 1e-5
"""What a look at all in float32 may do to a score, as a share of the largest."""


class Audited:
    """A uniform draw, rated exactly, and where its candidates stand.

    Args:
        addresses: Of n candidates, shape (n,).
        utilities: Theirs.
        spans: The addresses of each section that has a student.
        numbers: Says the item numbers of some addresses.
    """

    def __init__(
        self,
        addresses: IntArray,
        utilities: FloatArray,
        spans: Mapping[Section, range],
        numbers: Callable[[Section, IntArray], IntArray],
    ) -> None:
        self.addresses = addresses
        self.utilities = utilities
        self.places = {
            section: np.flatnonzero((addresses >= span.start) & (addresses < span.stop))
            for section, span in spans.items()
        }
        self.numbers = {
            section: numbers(section, addresses[at]) for section, at in self.places.items()
        }

    def scores(
        self, students: Mapping[Key, Student], beams: Mapping[Section, DenseRows]
    ) -> FloatArray:
        """What students say, shape (n,); inf for those that are looked at in any case.

        -inf for those of which no subset is in the beam of their section, if it has one.
        """
        scores = np.full(len(self.utilities), np.inf)
        for section, at in self.places.items():
            numbers = self.numbers[section]
            scores[at] = students[section.context, section.order].scores(numbers)
            if section in beams:
                scores[at[~beams[section].hold(numbers)]] = -np.inf
        return scores


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is let through: the `size` best of those that get a score of at least `cut`.

    Attributes:
        students: For each section.
        beams: Where to look, for sections that are too large.
        lessons: What the students were taught.
        share: The share of the space that should be let through.
        size: The most that are.
        total: Of how many addresses.
        salt: Breaks ties.
        audit: Says what it is worth.
        scores: What the audit's candidates get, shape (n,).
    """

    students: Mapping[Key, Student]
    beams: Mapping[Section, DenseRows]
    lessons: Lessons
    share: float
    size: int
    total: int
    salt: int
    audit: Audited
    scores: FloatArray

    @property
    def cut(self) -> float:
        """A number of float32 that the share of the audit reaches, however it is rounded."""
        looked = self.scores[self.scores < np.inf]
        if self.share >= 1 or not len(looked):
            return -np.inf
        cut = float(np.quantile(looked, 1 - self.share, method="higher"))
        largest = np.abs(looked[np.isfinite(looked)]).max(initial=0.0)
        return float(np.float32(cut - _ROUNDING * largest))

    def expected(self) -> Recall:
        """The recall, should the look at all let through what it does of the audit.

        Where more tie at the cut than there is room for, only some of them are.
        """
        looked = np.flatnonzero(self.scores < np.inf)
        passed = self.scores == np.inf
        room = round(self.size / max(self.total, 1) * len(looked))
        scores, ties = self.scores[looked], scattered(self.audit.addresses[looked], self.salt)
        best = np.lexsort((ties, -scores.astype(np.float32)))[:room]
        passed[looked[best]] = (scores[best] >= self.cut) & (scores[best] > -np.inf)
        return recall_of(self.audit.utilities, passed)

    def passed(self, survivors: IntArray) -> BoolArray:
        """Which of the audit are among sorted addresses let through, or looked at in any case."""
        answer: BoolArray = is_in(self.audit.addresses, survivors) | (self.scores == np.inf)
        return answer
