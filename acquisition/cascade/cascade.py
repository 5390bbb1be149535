"""Narrow down a space beyond a full scan: a student looks at all, the surrogate at its best.

Every run draws candidates at random, rates them exactly and says what share of the best of them
was let through (`acquisition.cascade.audit`); where that is less than was asked for, more are let
through and the student learns more.

Source:
    `evidence.md` A3: of the best 0.1 % of a real ensemble's pairs a student of rank 16 ranked 99 %
    among its first 1 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from acquisition.belief.member_rater import MemberRater
from acquisition.cascade.audit import best_count, recall_of, share_needed
from acquisition.cascade.beam import Beam
from acquisition.cascade.dense_rows import AdmittedOnce, DenseRows
from acquisition.cascade.exact_rating import ExactRating, Kept
from acquisition.cascade.landmarks import Landmarks
from acquisition.cascade.ledger import Ledger, drawn_from
from acquisition.cascade.notes import said, said_of_beam
from acquisition.cascade.plan import Audited, Plan
from acquisition.cascade.rows_space import Admitted, AdmittedRows, RowsSpace, SomeSections
from acquisition.cascade.spans import gaps, section_span
from acquisition.cascade.steps import Steps
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
from loop.ports.arrays import BoolArray, IntArray
from loop.ports.engine import Progress, Section, TiledSpace

_SLACK = 1.5
_STEP = (1.5, 4.0)
_ATTEMPTS = 5
_HARDEST = 192
_LISTED = 2_000
"""To teach a student takes as many ratings, so a section that has no more needs none."""
_WALKED = 50_000_000
"""So many addresses may be looked through for what little of them is on offer."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a cascade puts in, and when it is content.

    Attributes:
        recall: The share of the best that is asked for.
        audited: How many candidates are drawn to measure it.
        lessons: What a student is taught at first.
        share: The share of the space that is let through at first.
        most: The most candidates that are let through, and that whole rows add to them.
        listed: A section with no more addresses than this is looked at in full; where there are
            many sections, with no more than its part of `most`.
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
    work = _Cascade(ask, ask.request.space, wish, effort, Steps(progress))
    return work.narrowed()


class _Cascade:
    def __init__(
        self, ask: Question, space: TiledSpace, wish: Wish, effort: Effort, steps: Steps
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
        listed = min(effort.listed, max(effort.most // max(len(spans), 1), _LISTED))
        self._spans = {key: span for key, span in spans.items() if len(span) > listed}
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
        chosen = self._let_through() if self._spans else None
        if chosen is None:
            return None
        plan, survivors = chosen
        passed = plan.passed(survivors)
        rated = self._rate_all(survivors, plan, passed)
        recall = recall_of(plan.audit.utilities, passed)
        held = int(self._space.permitted(self._space.unrank(self._ask.excluded)).sum())
        scanned = self._space.on_offer() - held
        outside = gaps(list(self._spans.values()), len(self._space))
        self._steps.part(1.0, "")
        notes = [said(plan.students, scanned, rated, recall, self._effort.recall)]
        notes += [said_of_beam(section, beam) for section, beam in plan.beams.items()]
        return Narrowed(self._inside(self._kept.addresses), outside, scanned, tuple(notes))

    def _inside(self, addresses: IntArray) -> IntArray:
        """Those in sections with students: an audit draws from the others too."""
        ends = np.array([[span.start, span.stop] for span in self._spans.values()]).ravel()
        inside: IntArray = addresses[np.searchsorted(ends, addresses, side="right") % 2 == 1]
        return inside

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

    def _let_through(self) -> tuple[Plan, IntArray] | None:
        """A plan and the sorted addresses that it lets through; None where hardly any are there.

        Students look at all only where the audit expects the recall of it, or nothing better is
        left to try; who is let through then decides whether it was reached.
        """
        lessons, share = self._first_lessons(), self._first_share()
        drawn = self._teacher.drawn(lessons, self._rng)
        left = [span for section, span in self._spans.items() if section not in drawn]
        if not drawn or sum(map(len, left)) > _WALKED:
            return None
        # Of the others hardly anything is on offer, and that is looked at in full.
        self._spans = {section: self._spans[section] for section in drawn}
        audit = self._audited(0.2, list(drawn.values()))
        students = self._taught(lessons, drawn, 0.45)
        plan = self._plan(students, self._beams(students, 1), lessons, share, audit)
        for attempt in range(_ATTEMPTS):
            survivors = None
            if plan.expected().share >= self._effort.recall:
                survivors = self._survivors(plan)
                if self._recall(plan, survivors) >= self._effort.recall:
                    return plan, survivors
            better = self._better(plan, drawn, attempt) if attempt < _ATTEMPTS - 1 else None
            if better is None:
                return plan, self._survivors(plan) if survivors is None else survivors
            plan = better
        msg = "the last attempt returns"
        raise AssertionError(msg)

    @staticmethod
    def _recall(plan: Plan, survivors: IntArray) -> float:
        return recall_of(plan.audit.utilities, plan.passed(survivors)).share

    def _plan(
        self,
        students: Mapping[Key, Student],
        beams: Mapping[Section, DenseRows],
        lessons: Lessons,
        share: float,
        audit: Audited,
    ) -> Plan:
        total = sum(map(len, self._spans.values()))
        size = min(total, int(_SLACK * share * total) + 1_024, self._effort.most)
        scores = audit.scores(students, beams)
        salt = self._wish.salt
        return Plan(students, beams, lessons, share, size, total, salt, audit, scores)

    def _better(self, plan: Plan, drawn: Mapping[Section, IntArray], attempt: int) -> Plan | None:
        """A plan that lets more through, and from the second time on knows more; None: none can."""
        lessons, students, beams = plan.lessons, plan.students, plan.beams
        needed = share_needed(plan.audit.utilities, plan.scores, self._effort.recall)
        share = self._wider(plan.share, needed)
        again = attempt > 0 and lessons.landmarks < _HARDEST
        if share == plan.share and not again:
            return None
        lessons = lessons.harder() if again else lessons
        audit = self._audited(0.5, [])
        students = self._taught(lessons, drawn, 0.55) if again else students
        beams = self._beams(students, 2 ** (attempt + 1)) if beams else beams
        return self._plan(students, beams, lessons, share, audit)

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
        """One and a half to four times the share, as the last audit suggests; 1 past a half.

        Never more than `most` of the space.
        """
        least, most = (step * share for step in _STEP)
        wider = min(max(1.25 * needed, least), most)
        wider = max(share, min(wider, self._effort.most / len(self._space)))
        return 1.0 if wider > 0.5 and len(self._space) <= self._effort.most else wider

    def _audited(self, end: float, besides: list[IntArray]) -> Audited:
        """A fresh audit; what is drawn `besides` is rated in the same go, which costs less."""
        self._release()
        addresses = drawn_from(range(len(self._space)), self._gate, self._effort.audited, self._rng)
        every = np.unique(np.concatenate([addresses, *besides]))
        self._steps.step(end, "rating candidates drawn at random", len(every))
        self._ledger.utilities(every, self._steps.count)
        utilities = self._ledger.utilities(addresses, self._steps.count)
        return Audited(addresses, utilities, self._spans, self._numbers_of)

    def _taught(
        self, lessons: Lessons, drawn: Mapping[Section, IntArray], end: float
    ) -> Mapping[Key, Student]:
        ratings = lessons.landmarks * len(self._numbers) * len(self._spans)
        self._steps.step(end, "teaching a student", ratings)
        return self._teacher.teach(lessons, drawn, self._rng, self._steps.count)

    # The student's look at everything.

    def _survivors(self, plan: Plan) -> IntArray:
        """Sorted addresses of those let through."""
        self._steps.step(0.65, "letting a student look at all candidates", 1)
        size, cut = plan.size, plan.cut
        rater = StudentRater(plan.students, self._numbers)
        whole = tuple(each for each in self._spans if each not in plan.beams)
        best = TopList(size, cut)
        if whole:
            view = SomeSections(self._tiled, whole)
            found = self._looked(view, rater, Admitted(self._gate), size, cut)
            best.offer(found.addresses, found.utilities, self._ties(found.addresses))
        for section, beam in plan.beams.items():
            starts = np.zeros(len(beam), dtype=np.int64)
            rows = RowsSpace(
                self._tiled.items, beam.sets, section.context, self._space.slots, starts
            )
            admission = AdmittedRows(rows, self._space, self._gate)
            # A candidate stands in as many rows as it has subsets in the beam.
            found = self._looked(rows, rater, admission, size * section.order, cut)
            addresses, first = np.unique(admission.addresses(found.addresses), return_index=True)
            best.offer(addresses, found.utilities[first], self._ties(addresses))
        return np.sort(best.addresses)

    def _looked(
        self,
        view: TiledSpace,
        rater: StudentRater,
        admission: Admission,
        size: int,
        cut: float,
    ) -> Best:
        keeping = Keeping(size, 0, self._wish.salt, cut)
        sweep = Sweep(view, rater, admission, keeping, self._threads)
        return sweep.over(progress=self._steps.part).marginal

    def _ties(self, addresses: IntArray) -> UIntArray:
        return scattered(addresses, self._wish.salt)

    # What was let through, exactly.

    def _rate_all(self, survivors: IntArray, plan: Plan, passed: BoolArray) -> int:
        """Rate what was let through; say how many, and add to the audit who was rated besides."""
        self._steps.step(0.98, "rating what the student let through", len(survivors))
        sparse, rated, left = [], 0, self._effort.most
        for section, span in self._spans.items():
            start, stop = np.searchsorted(survivors, [span.start, span.stop])
            some = survivors[start:stop]
            dense = DenseRows.of(self._numbers_of(section, some), len(self._numbers), left)
            if len(dense) and self._swept(section, dense):
                inside = dense.hold(self._numbers_of(section, some))
                self._steps.count(int(inside.sum()))
                some = some[~inside]
                left -= len(dense) * len(self._numbers)
                rated += dense.candidates(self._numbers)
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
        found = Sweep(rows, rater.anywhere(), admission, self._keeping, self._threads).over(
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
