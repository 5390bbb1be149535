"""Narrow down a space beyond a full scan: a student looks at all, the surrogate at its best.

Every run draws candidates at random, rates them exactly and says what share of the best of them
was let through (`acquisition.cascade.audit`); where that is less than was asked for, more are let
through and the student learns more.

Source:
    `evidence.md` A3: of the best 0.1 % of a real ensemble's pairs a student of rank 16 ranked 99 %
    among its first 1 %.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from acquisition.belief.member_rater import MemberRater
from acquisition.cascade.audit import Recall, best_count, recall_of, share_needed
from acquisition.cascade.beam import Beam
from acquisition.cascade.dense_rows import AdmittedOnce, DenseRows
from acquisition.cascade.exact_rating import ExactRating, Kept
from acquisition.cascade.landmarks import Landmarks
from acquisition.cascade.ledger import Ledger, drawn_from
from acquisition.cascade.rows_space import Admitted, AdmittedRows, RowsSpace, SomeSections
from acquisition.cascade.student import Student, StudentRater
from acquisition.cascade.teaching import Key, Lessons, Taught, Teacher
from acquisition.limits.offer import Gate
from acquisition.scanning.found import Best, Keeping
from acquisition.scanning.item_numbers import ItemNumbers
from acquisition.scanning.narrowing import Narrowed, Wish, threads_of
from acquisition.scanning.pool import Question
from acquisition.scanning.sweep import Admission, Sweep
from acquisition.scanning.top_list import TopList
from acquisition.scatter import UIntArray, scattered
from loop.ports.arrays import BoolArray, FloatArray, IntArray
from loop.ports.engine import Progress, Section, TiledSpace

_SLACK = 1.5
_STEP = (1.5, 4.0)
_ATTEMPTS = 5
_HARDEST = 192


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a cascade puts in, and when it is content.

    Attributes:
        recall: The share of the best that is asked for.
        audited: How many candidates are drawn to measure it.
        lessons: What a student is taught at first.
        share: The share of the space that is let through at first.
        most: The most candidates that are let through, and that whole rows add to them.
        listed: A section with no more addresses than this is looked at in full.
        draws: The most candidates drawn for students, of all sections together.
        shown: The most ratings of items with landmarks, likewise.
        begun: The most candidates that are let through at first.
        scanned: The most addresses of a section that a student looks at one by one.
        continued: How many sets a beam looks at instead, for each order.
    """

    recall: float = 0.99
    audited: int = 100_000
    lessons: Lessons = field(default_factory=Lessons)
    share: float = 0.008
    most: int = 2_000_000
    listed: int = 100_000
    draws: int = 240_000
    shown: int = 4_000_000
    begun: int = 1_000_000
    scanned: int = 20_000_000_000
    continued: int = 2_000_000_000

    def within(self, ratings: int) -> "Effort":
        """Less of everything where the surrogate may not rate that many."""
        lessons = replace(self.lessons, drawn=min(self.lessons.drawn, max(1_000, ratings // 8)))
        return replace(
            self,
            lessons=lessons,
            audited=min(self.audited, max(1_000, ratings // 4)),
            most=min(self.most, ratings),
            shown=min(self.shown, ratings),
        )


def cascade(ask: Question, wish: Wish, effort: Effort, progress: Progress) -> Narrowed | None:
    """Find somewhat more candidates than are wanted, the best among them but for the recall.

    The answer hangs on the question and on the wish's salt, not on the number of threads.
    None where the space knows no sections, or where hardly anything of it is on offer.

    Cost:
        Ratings: items x landmarks, draws, and those let through, whatever the size of the space;
        and a product of matrices of a few dozen columns for every candidate. Memory: what tiles
        and ratings need, and some 400 bytes for each that is let through.

    Raises:
        IncompatibleError: If a prediction or a utility is no finite number.
    """
    if not isinstance(ask.request.space, TiledSpace):
        return None
    work = _Cascade(ask, ask.request.space, wish, effort, _Steps(progress))
    return work.narrowed()


class _Steps:
    """Progress through steps of given shares that never goes back."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._begun = self._end = self._said = 0.0
        self._doing = ""
        self._rated = self._expected = 0

    def step(self, end: float, doing: str, expected: int) -> None:
        """Begin a step that ends at a share of the whole and takes so many ratings."""
        self._begun, self._end = self._said, max(end, self._said)
        self._doing, self._rated, self._expected = doing, 0, max(expected, 1)
        self.count(0)

    def count(self, rated: int) -> None:
        """So many candidates more were rated."""
        self._rated += rated
        self.part(self._rated / self._expected, "")

    def part(self, share: float, doing: str) -> None:
        """A `Progress` for the step."""
        now = self._begun + (self._end - self._begun) * min(share, 1.0)
        self._said = max(self._said, now)
        self._progress(self._said, self._doing)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who is let through: whoever gets a score of at least `cut`, about a `share` of the space."""

    students: Mapping[Key, Student]
    beams: Mapping[Section, DenseRows]
    cut: float
    share: float
    audit: "_Audit"

    def scores(self) -> FloatArray:
        """What the audit's candidates get, shape (n,)."""
        return self.audit.scores(self.students, self.beams)


class _Audit:
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


class _Cascade:
    def __init__(
        self, ask: Question, space: TiledSpace, wish: Wish, effort: Effort, steps: _Steps
    ) -> None:
        self._ask = ask
        self._tiled = space
        self._space = ask.request.space
        self._wish = wish
        self._effort = effort
        self._steps = steps
        self._rng = np.random.default_rng(wish.salt)
        self._gate = Gate(self._space, ask.excluded, ask.limits)
        self._exact = ExactRating(ask.beliefs, ask.limits, wish.utility, wish.favourites)
        self._numbers = ItemNumbers(space.items)
        self._threads = threads_of(ask.request.compute)
        self._rater: MemberRater | None = None
        self._tiles_asked = False
        spans = {each: section_span(space, each) for each in space.sections()}
        self._spans = {key: span for key, span in spans.items() if len(span) > effort.listed}
        self._keeping = self._kept_at_last()
        self._kept = Kept(self._keeping)
        self._ledger = Ledger(self._space, self._exact, self._kept)
        self._teacher = Teacher(
            Taught(self._space, self._numbers, self._spans, self._space.slots),
            self._gate,
            ask.limits,
            self._exact,
            self._ledger,
            self._tiles,
            self._threads,
        )

    def narrowed(self) -> Narrowed | None:
        """All steps, one after the other."""
        plan = self._planned() if self._spans else None
        if plan is None:
            return None
        survivors, cut = self._survivors(plan)
        scores = plan.scores()
        passed = (scores >= cut) & (scores > -np.inf)
        rated = self._rate_all(survivors, plan, passed)
        recall = recall_of(plan.audit.utilities, passed)
        held = int(self._space.permitted(self._space.unrank(self._ask.excluded)).sum())
        scanned = self._space.on_offer() - held
        outside = gaps(list(self._spans.values()), len(self._space))
        self._steps.part(1.0, "")
        notes = [said(plan.students, scanned, rated, recall, self._effort.recall)]
        notes += [said_of_beam(section, beam) for section, beam in plan.beams.items()]
        return Narrowed(self._kept.addresses, outside, scanned, tuple(notes))

    def _kept_at_last(self) -> Keeping:
        """Some more than wanted, for what tiles say is rounded."""
        size, members = self._ask.size, self._members()
        each = -(-size // members) if members else 0
        reserve = max(16, each // 10) if members else 0
        return Keeping(size + max(64, size // 20), each + reserve, self._wish.salt)

    def _members(self) -> int:
        """How many lists of favourites there are."""
        if self._wish.favourites is None:
            return 0
        one = self._space.unrank(np.zeros(1, dtype=np.int64))
        return len(self._wish.favourites(self._ask.beliefs.marginals(one)))

    # Planning: audits and students until the recall is reached.

    def _planned(self) -> _Plan | None:
        effort = self._effort
        lessons, share = self._first_lessons(), self._first_share()
        drawn = self._teacher.drawn(lessons, self._rng)
        if drawn is None:
            return None
        audit = self._audited(0.2, list(drawn.values()))
        students = self._taught(lessons, drawn, 0.45)
        beams = self._beams(students, 1)
        for attempt in range(_ATTEMPTS):
            scores = audit.scores(students, beams)
            plan = _Plan(students, beams, _cut(scores, share), share, audit)
            through = (scores >= plan.cut) & (scores > -np.inf)
            recall = recall_of(audit.utilities, through)
            if recall.share >= effort.recall or attempt == _ATTEMPTS - 1:
                break
            wider = self._wider(share, share_needed(audit.utilities, scores, effort.recall))
            again = attempt > 0 and lessons.landmarks < _HARDEST
            if wider == share and not again:
                break
            share, lessons = wider, lessons.harder() if again else lessons
            audit = self._audited(0.5, [])
            students = self._taught(lessons, drawn, 0.55) if again else students
            beams = self._beams(students, 2 ** (attempt + 1)) if beams else beams
        return plan

    def _beams(self, students: Mapping[Key, Student], wider: int) -> Mapping[Section, DenseRows]:
        """For each section that is too large to be looked at, where to look."""
        beams = {}
        for section, span in self._spans.items():
            if section.order > 2 and len(span) > self._effort.scanned:
                self._steps.step(0.55, "looking for what is worth continuing", 1)
                width = max(1, wider * self._effort.continued // len(self._numbers))
                beam = Beam(
                    self._space,
                    self._tiled.items,
                    self._space.slots,
                    self._ask.limits,
                    width,
                    self._wish.salt,
                    self._threads,
                )
                student = students[section.context, section.order]
                beams[section] = beam.prefixes(section, student, self._steps.part)
        return beams

    def _first_lessons(self) -> Lessons:
        lessons, sections = self._effort.lessons, len(self._spans)
        cells = len(self._numbers) * sections
        landmarks = min(lessons.landmarks, max(8, self._effort.shown // cells))
        drawn = min(lessons.drawn, max(2_000, self._effort.draws // sections))
        return replace(lessons, landmarks=landmarks, drawn=drawn)

    def _first_share(self) -> float:
        total = len(self._space)
        best = best_count(self._effort.audited) / max(self._effort.audited, 1)
        share = max(self._effort.share, 6 * best, 5 * self._keeping.size / total)
        return min(share, self._effort.begun / total, self._effort.most / total, 1.0)

    def _wider(self, share: float, needed: float) -> float:
        """One and a half to four times the share, as the last audit suggests; 1 past a half."""
        least, most = (step * share for step in _STEP)
        wider = min(max(1.25 * needed, least), most)
        wider = max(share, min(wider, self._effort.most / len(self._space)))
        return 1.0 if wider > 0.5 else wider

    def _audited(self, end: float, besides: list[IntArray]) -> _Audit:
        """A fresh audit; what is drawn `besides` is rated in the same go, which costs less."""
        self._release()
        addresses = drawn_from(range(len(self._space)), self._gate, self._effort.audited, self._rng)
        every = np.unique(np.concatenate([addresses, *besides]))
        self._steps.step(end, "rating candidates drawn at random", len(every))
        self._ledger.utilities(every, self._steps.count)
        utilities = self._ledger.utilities(addresses, self._steps.count)
        return _Audit(addresses, utilities, self._spans, self._numbers_of)

    def _taught(
        self, lessons: Lessons, drawn: Mapping[Section, IntArray], end: float
    ) -> Mapping[Key, Student]:
        ratings = lessons.landmarks * len(self._numbers) * len(self._spans)
        self._steps.step(end, "teaching a student", ratings)
        return self._teacher.teach(lessons, drawn, self._rng, self._steps.count)

    # The student's look at everything.

    def _survivors(self, plan: _Plan) -> tuple[IntArray, float]:
        """Sorted addresses of those let through, and the score that it took."""
        total = sum(map(len, self._spans.values()))
        self._steps.step(0.65, "letting a student look at all candidates", 1)
        size = min(total, int(_SLACK * plan.share * total) + 1_024)
        rater = StudentRater(plan.students, self._numbers)
        whole = tuple(each for each in self._spans if each not in plan.beams)
        best = TopList(size, float(np.float32(plan.cut)))
        if whole:
            view = SomeSections(self._tiled, whole)
            found = self._looked(view, rater, Admitted(self._gate), size, plan.cut)
            best.offer(found.addresses, found.utilities, self._ties(found.addresses))
        for section, beam in plan.beams.items():
            starts = np.zeros(len(beam), dtype=np.int64)
            rows = RowsSpace(
                self._tiled.items, beam.sets, section.context, self._space.slots, starts
            )
            admission = AdmittedRows(rows, self._space, self._gate)
            # A candidate stands in as many rows as it has subsets in the beam.
            found = self._looked(rows, rater, admission, size * section.order, plan.cut)
            addresses, first = np.unique(admission.addresses(found.addresses), return_index=True)
            best.offer(addresses, found.utilities[first], self._ties(addresses))
        addresses, scores = best.best()
        cut = plan.cut if len(addresses) < size else float(scores[-1])
        return np.sort(addresses), cut

    def _looked(
        self,
        view: TiledSpace,
        rater: StudentRater,
        admission: Admission,
        size: int,
        cut: float,
    ) -> Best:
        keeping = Keeping(size, 0, self._wish.salt, float(np.float32(cut)))
        sweep = Sweep(view, rater, admission, keeping, self._threads)
        return sweep.over(progress=self._steps.part).marginal

    def _ties(self, addresses: IntArray) -> UIntArray:
        return scattered(addresses, self._wish.salt)

    # What was let through, exactly.

    def _rate_all(self, survivors: IntArray, plan: _Plan, passed: BoolArray) -> int:
        """Rate what was let through; say how many, and add to the audit who was rated besides."""
        self._steps.step(0.98, "rating what the student let through", len(survivors))
        sparse, rated = [], 0
        for section, span in self._spans.items():
            start, stop = np.searchsorted(survivors, [span.start, span.stop])
            some = survivors[start:stop]
            left = self._effort.most - rated
            dense = DenseRows.of(self._numbers_of(section, some), len(self._numbers), left)
            if len(dense) and self._swept(section, dense):
                inside = dense.hold(self._numbers_of(section, some))
                self._steps.count(int(inside.sum()))
                some = some[~inside]
                rated += len(dense) * len(self._numbers)
                at = plan.audit.places[section]
                passed[at] |= dense.hold(plan.audit.numbers[section])
            sparse.append(some)
        self._release()
        for some in sparse:
            rated += len(some)
            self._ledger.rate(some, self._steps.count)
        return rated

    def _swept(self, section: Section, dense: DenseRows) -> bool:
        """Rate whole rows in tiles, if there are tiles that can."""
        rater = self._tiles()
        landmarks = Landmarks(
            self._numbers,
            dense.sets,
            section.context,
            self._space.slots,
            self._exact,
            self._ask.limits,
        )
        if rater is None or not landmarks.tiles_hold(rater):
            return False
        starts = np.zeros(len(dense), dtype=np.int64)
        rows = RowsSpace(self._tiled.items, dense.sets, section.context, self._space.slots, starts)
        gate = Gate(
            self._space,
            np.union1d(self._ask.excluded, self._ledger.addresses),
            self._ask.limits,
        )
        admission = AdmittedOnce(rows, self._space, gate, dense)
        found = Sweep(rows, rater, admission, self._keeping, self._threads).over(
            progress=lambda share, doing: self._steps.count(0)
        )
        self._kept.take(found, admission.addresses)
        return True

    def _numbers_of(self, section: Section, addresses: IntArray) -> IntArray:
        numbers = self._numbers.of(self._space.unrank(addresses))
        return numbers[:, : section.order]

    def _tiles(self) -> MemberRater | None:
        """A rater of tiles, made when it is first needed; None where there are none."""
        if not self._tiles_asked:
            self._tiles_asked = True
            tiling = self._ask.beliefs.tiling(self._tiled, "float32")
            if tiling is not None:
                self._rater = MemberRater(tiling, self._wish.utility, self._wish.favourites)
        return self._rater

    def _release(self) -> None:
        """Give back the memory of tiles before scattered candidates are rated."""
        self._rater, self._tiles_asked = None, False


def section_span(space: TiledSpace, section: Section) -> range:
    """The addresses of a section."""
    begin = space.stripe(section, 0, 1)
    end = space.stripe(section, section.prefixes - 1, section.prefixes)
    stop = int(end.addresses[0]) + len(space.items) - int(end.starts[0])
    return range(int(begin.addresses[0]), stop)


def gaps(spans: Sequence[range], total: int) -> list[range]:
    """The addresses below `total` that stand in none of some ascending spans, as ranges."""
    ends = [0, *(span.stop for span in spans)]
    begins = [*(span.start for span in spans), total]
    return [range(*pair) for pair in zip(ends, begins, strict=True) if pair[0] < pair[1]]


def said(
    students: Mapping[Key, Student], scanned: int, rated: int, recall: Recall, asked: float
) -> str:
    """What a cascade did, in a sentence or two."""
    ranks = [each.rank for each in students.values()]
    fits = sorted(each.r2 for each in students.values())
    who = f"a student of rank {ranks[0]} (R2 {fits[0]:.2f})"
    if len(fits) > 1:
        who = f"{len(fits)} students of rank {max(ranks)} (R2 {fits[0]:.2f} to {fits[-1]:.2f})"
    sentence = (
        f"{scanned:,} candidates: {who} let {rated:,} through, of which the best were kept; "
        f"audited {recall}."
    )
    if recall.share < asked:
        sentence += f" The recall asked for, {asked:g}, was not reached."
    return sentence


def said_of_beam(section: Section, beam: DenseRows) -> str:
    """What was left out of the look at a section."""
    return (
        f"Of the sets of {section.order} in context {section.context} only those that continue "
        f"the best {len(beam):,} sets of {section.order - 1} were looked at; the audit covers all."
    )


def _cut(scores: FloatArray, share: float) -> float:
    """The score that a share of a uniform draw reaches; those that need no student left out."""
    looked = scores[scores < np.inf]
    if share >= 1 or not len(looked):
        return -np.inf
    return float(np.quantile(looked, 1 - share, method="higher"))
