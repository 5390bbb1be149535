"""Teach a student for each section: draw candidates, rate them and the landmarks, fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from acquisition.belief.member_rater import MemberRater
from acquisition.cascade.exact_rating import Count, ExactRating
from acquisition.cascade.exponential_scores import ExponentialScores
from acquisition.cascade.landmarks import Landmarks
from acquisition.cascade.ledger import Ledger, drawn_from
from acquisition.cascade.student import Student, fit_student
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Gate
from acquisition.scanning.item_numbers import ItemNumbers
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import CandidateSpace, Section

Key = tuple[int, int]
"""A context and an order."""

_FEWEST = 200


@dataclass(frozen=True, slots=True)
class Lessons:
    """How much a student is taught.

    Attributes:
        landmarks: How many landmark sets a section has.
        rank: The most factors of a student.
        drawn: How many candidates are drawn from a section.
    """

    landmarks: int = 48
    rank: int = 24
    drawn: int = 30_000

    def harder(self) -> "Lessons":
        """Twice as much."""
        return Lessons(2 * self.landmarks, 2 * self.rank, self.drawn)


@dataclass(frozen=True, slots=True)
class Taught:
    """Sections and all that it takes to teach them, for a space with k slots.

    Attributes:
        space: Their space.
        numbers: Its items.
        spans: The addresses of each section.
        slots: k.
    """

    space: CandidateSpace
    numbers: ItemNumbers
    spans: Mapping[Section, range]
    slots: int


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who answers a student's questions.

    Attributes:
        taught: The sections.
        gate: Who may be chosen.
        limits: Says what costs are worth.
        exact: Rates scattered candidates.
        ledger: Remembers those.
        tiles: Gives who rates tiles; None: there are none.
        threads: How many threads rate tiles.
    """

    taught: Taught
    gate: Gate
    limits: Keeper
    exact: ExactRating
    ledger: Ledger
    tiles: Callable[[], MemberRater | None]
    threads: int

    def drawn(self, lessons: Lessons, rng: np.random.Generator) -> Mapping[Section, IntArray]:
        """Candidates to learn from, of each section of which enough are on offer."""
        drawn = {
            section: drawn_from(span, self.gate, lessons.drawn, rng)
            for section, span in self.taught.spans.items()
        }
        return {section: each for section, each in drawn.items() if len(each) >= _FEWEST}

    def teach(
        self,
        lessons: Lessons,
        drawn: Mapping[Section, IntArray],
        rng: np.random.Generator,
        count: Count,
    ) -> Mapping[Key, Student]:
        """A student for each section."""
        rated = {key: self.ledger.utilities(each, count) for key, each in drawn.items()}
        scores = self._scores(rated)
        return {
            (section.context, section.order): self._student(
                section, drawn[section], scores(rated[section]), scores, lessons, rng, count
            )
            for section in drawn
        }

    def _scores(self, rated: Mapping[Section, FloatArray]) -> ExponentialScores:
        """One scale for all sections, so that what students say can be compared."""
        spans = self.taught.spans
        weights = [np.full(len(each), len(spans[key]) / len(each)) for key, each in rated.items()]
        return ExponentialScores(np.concatenate(list(rated.values())), np.concatenate(weights))

    def _student(
        self,
        section: Section,
        drawn: IntArray,
        scored: FloatArray,
        scores: ExponentialScores,
        lessons: Lessons,
        rng: np.random.Generator,
        count: Count,
    ) -> Student:
        taught = self.taught
        sets = landmark_sets(taught.numbers, section.order - 1, lessons.landmarks, rng)
        landmarks = Landmarks(
            taught.numbers, sets, section.context, taught.slots, self.exact, self.limits
        )
        table = landmarks.table(self.tiles(), self.threads, count)
        numbers = taught.numbers.of(taught.space.unrank(drawn))
        there = np.isfinite(table)
        table[there] = scores(table[there])
        return fit_student(table, numbers, scored, lessons.rank)


def landmark_sets(
    numbers: ItemNumbers, size: int, count: int, rng: np.random.Generator
) -> IntArray:
    """Sets of `size` items drawn by lot, none twice, item numbers ascending, (at most count, size).

    Fewer where there are not so many.
    """
    if size == 1:
        drawn = rng.choice(len(numbers), size=min(count, len(numbers)), replace=False)
        return np.sort(drawn)[:, None]
    rows = np.sort(rng.integers(0, len(numbers), (8 * count + 64, size)), axis=1)
    rows = rows[numbers.are_sets(rows)]
    rows = rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])]
    return rows[:count]
