from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs
from acquisition.belief.marginals import Marginals
from acquisition.belief.member_rater import MemberRater
from acquisition.cascade.audit import Recall, best_count, recall_of, share_needed
from acquisition.cascade.cascade import Effort, cascade
from acquisition.cascade.exact_rating import ExactRating
from acquisition.cascade.landmarks import Landmarks
from acquisition.cascade.teaching import Lessons, landmark_sets
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Survey
from acquisition.scan import Pool, Scan
from acquisition.scanning.item_numbers import ItemNumbers
from acquisition.scanning.narrowing import Narrowed, Wish
from acquisition.scanning.pool import Question
from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, IntArray
from loop.ports.engine import BatchRequest, Compute, Limits, Progress, silent
from loop.space import VirtualSpace
from tests.acquisition.brute_force import BruteForce
from tests.acquisition.tiled_draws import DrawsTiler, TiledDraws

SMALL = Effort(audited=2_000, lessons=Lessons(16, 6, 1_500), share=0.05, most=3_000, listed=300)
SALT = 5


def mean(beliefs: tuple[Marginals, ...]) -> Tensor:
    return beliefs[0].mean


def bound(beliefs: tuple[Marginals, ...]) -> Tensor:
    return beliefs[0].mean + beliefs[0].epistemic_sd


def members(beliefs: tuple[Marginals, ...]) -> Tensor:
    return beliefs[0].members()


class OneByOne(TiledDraws):
    """The same surrogate for one who must ask about each candidate."""

    def tiler(self, items: Combinations, readouts: tuple[int, ...], precision: str) -> None:  # type: ignore[override]
        return None


class EverywhereTiler(DrawsTiler):
    """Tiles that hold for items before a prefix as well, as those of an ensemble do."""

    def begin(self, prefixes: Combinations) -> object:
        begun = super().begin(prefixes)
        return replace(begun, last=torch.full((len(prefixes),), -1))  # type: ignore[type-var]

    def twin(self) -> "EverywhereTiler":
        return EverywhereTiler(self._draws, self._items, self._readouts, self._precision)


class Everywhere(TiledDraws):
    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> EverywhereTiler:
        return EverywhereTiler(self, items, readouts, precision)


class Unlearnable(OneByOne):
    """Members that say something else of every set, with no rhyme or reason."""

    def member_means(self, combinations: Combinations) -> Tensor:
        places = (combinations.components + 1) @ np.array([7_919, 104_729, 1_299_709])[
            : combinations.slots
        ]
        mixed = (places + combinations.contexts * 15_485_863).astype(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(13))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (mixed >> np.uint64(40)).astype(np.float64) / 2**24
        shift = torch.arange(len(self.effects), dtype=torch.float64)[:, None] / 64
        one = torch.from_numpy(value) + shift
        return torch.stack([one, one], dim=-1)


@dataclass
class Case:
    levels: Sequence[int] = (1,) * 90
    contexts: int = 1
    orders: tuple[int, ...] = (2,)
    forbidden: Sequence[tuple[int, ...]] = ()
    excluded: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    limits: Limits = field(default_factory=Limits)
    kind: type[TiledDraws] = TiledDraws
    effort: Effort = SMALL
    size: int = 20
    threads: int = 1
    utility: object = mean

    def __post_init__(self) -> None:
        self.space = VirtualSpace(self.levels, self.contexts, self.orders, self.forbidden)
        self.draws = self.kind(self.levels, self.contexts, rows=4, columns=32)

    def question(self) -> Question:
        none = self.space.unrank(np.zeros(0, dtype=np.int64))
        request = BatchRequest(
            self.space,
            self.excluded,
            self.draws,  # type: ignore[arg-type]
            Goal.MAXIMIZE,
            (Readout("gi"),),
            None,
            none,
            4,
            {},
            self.limits,
            compute=Compute(threads=self.threads),
        )
        beliefs = MemberBeliefs(self.draws, 1)
        return Question(request, beliefs, self.excluded, Keeper(self.limits, 4), self.size)

    def narrowed(self, progress: Progress = silent) -> Narrowed:
        wish = Wish(self.utility, members, SALT, 20.0)  # type: ignore[arg-type]
        found = cascade(self.question(), wish, self.effort, progress)
        assert found is not None
        return found

    def pool(self) -> Pool:
        ask = self.question()
        scan = Scan(
            Survey(len(self.space), 100, 3),
            512,
            SALT,
            self.utility,  # type: ignore[arg-type]
            members,
            effort=self.effort,
        )
        return scan.best(ask.request, ask.beliefs, self.excluded, ask.limits, self.size, silent)

    def expected(self) -> BruteForce:
        return BruteForce.of(
            self.space,
            self.draws,
            self.utility,  # type: ignore[arg-type]
            members,
            self.excluded,
            self.limits,
            SALT,
        )


CASES = {
    "pairs": Case(),
    "pairs with doses, singles and controls": Case((1, 3, 2) * 25, orders=(0, 1, 2)),
    "two contexts": Case((1,) * 70, contexts=2),
    "triples": Case((1,) * 34, orders=(3,)),
    "pairs and triples": Case((1,) * 30, orders=(2, 3)),
    "without tiles": Case(kind=OneByOne),
    "tiles everywhere": Case(kind=Everywhere),
    "triples with tiles everywhere": Case((1, 2) * 17, orders=(3,), kind=Everywhere),
    "contexts, limits and tiles everywhere": Case(
        (1,) * 70,
        contexts=2,
        forbidden=[(3,), (1, 2), (4, 7)],
        excluded=np.arange(0, 4_000, 5, dtype=np.int64),
        limits=Limits(max_uses=1, uses=np.array([1] * 20 + [0] * 50)),
        kind=Everywhere,
    ),
    "by a bound": Case(utility=bound),
    "forbidden and taken": Case(
        forbidden=[(3,), (1, 2), (4, 7)], excluded=np.arange(0, 4_005, 3, dtype=np.int64)
    ),
    "limited": Case(limits=Limits(max_uses=1, uses=np.array([1] * 30 + [0] * 60))),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_pool_is_the_exact_one_where_a_student_can_mimic(case: Case) -> None:
    pool, expected = case.pool(), case.expected()

    best = pool.ranks > 0
    assert len(set(pool.addresses.tolist())) == len(pool)
    assert set(pool.addresses.tolist()) <= set(expected.addresses.tolist())
    missed = set(expected.best(case.size)) - set(pool.addresses[best].tolist())
    assert len(missed) <= 0.05 * case.size
    assert (np.diff(pool.utilities) <= 0).all()
    held = case.space.permitted(case.space.unrank(case.excluded)).sum()
    assert pool.scanned == case.space.on_offer() - held
    assert "audited recall" in pool.notes[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_nothing_that_is_forbidden_taken_or_without_room_is_let_through(case: Case) -> None:
    found = case.narrowed()

    assert set(found.addresses.tolist()) <= set(case.expected().addresses.tolist())
    assert (np.diff(found.addresses) > 0).all()


@pytest.mark.parametrize("kind", [TiledDraws, OneByOne])
def test_each_members_favourites_are_let_through(kind: type[TiledDraws]) -> None:
    case = Case(kind=kind, size=40)
    expected = case.expected()

    addresses = set(case.narrowed().addresses.tolist())

    liked = [set(expected.favourites(member, 4)) for member in range(4)]
    assert sum(len(each & addresses) for each in liked) >= 14


@pytest.mark.parametrize("name", ["pairs", "triples with tiles everywhere", "two contexts"])
def test_the_number_of_threads_changes_nothing(name: str) -> None:
    case = CASES[name]
    one, three = case.narrowed(), replace(case, threads=3).narrowed()

    assert one.addresses.tolist() == three.addresses.tolist()
    assert one.notes == three.notes


@pytest.mark.parametrize("order", [2, 3])
def test_whole_rows_are_rated_where_tiles_hold_everywhere(order: int) -> None:
    case = Case((1, 2) * (45 if order == 2 else 17), orders=(order,), kind=Everywhere)
    plain = replace(case, kind=TiledDraws)

    asked = [counted(case), counted(plain)]

    best = set(case.expected().best(case.size))
    for each in (case, plain):
        assert len(best - set(each.narrowed().addresses.tolist())) <= 1
    assert asked[0] < asked[1]


def counted(case: Case) -> int:
    """How many candidates the surrogate was asked about one by one."""
    asked, ask = [0], case.draws.member_means

    def counting(combinations: Combinations) -> Tensor:
        asked[0] += len(combinations)
        return ask(combinations)

    case.draws.member_means = counting  # type: ignore[method-assign]
    case.narrowed()
    return asked[0]


def test_what_is_rated_and_kept_does_not_grow_with_the_space() -> None:
    effort = replace(SMALL, recall=0.0, begun=300, most=300)
    small, large = (Case((1,) * count, kind=OneByOne, effort=effort) for count in (90, 270))

    asked = [counted(small), counted(large)]

    landmarks = 16 * (270 - 90)
    assert len(large.space) > 9 * len(small.space)
    assert asked[1] - asked[0] < landmarks + 1_500
    assert len(large.narrowed().addresses) < 3 * large.size + 150


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("kind", [TiledDraws, Everywhere])
def test_landmarks_are_rated_alike_with_tiles_and_without(
    order: int, kind: type[TiledDraws]
) -> None:
    case = Case((1, 3, 2) * 6, orders=(order,), kind=kind)
    ask = case.question()
    numbers = ItemNumbers(case.space.items)
    sets = landmark_sets(numbers, order - 1, 7, np.random.default_rng(0))
    exact = ExactRating(ask.beliefs, ask.limits, mean, None)
    landmarks = Landmarks(numbers, sets, 0, case.space.slots, exact, ask.limits)
    tiling = ask.beliefs.tiling(case.space, "float32")
    assert tiling is not None
    rater = MemberRater(tiling, mean, None)

    plain, tiled = landmarks.table(None, 1, idle), landmarks.table(rater, 2, idle)

    assert landmarks.tiles_hold(rater) == (kind is Everywhere)
    assert np.array_equal(np.isnan(plain), np.isnan(tiled))
    assert np.isnan(plain).any()
    assert np.allclose(plain, tiled, equal_nan=True)


def idle(rated: int) -> None:
    """Count nothing."""


def test_another_seed_draws_other_candidates_and_finds_the_same_best() -> None:
    case = CASES["pairs"]
    ask = case.question()
    found = [cascade(ask, Wish(mean, None, salt, 20.0), SMALL, silent) for salt in (1, 2)]

    best = set(case.expected().best(10))
    for each in found:
        assert each is not None
        assert len(best - set(each.addresses.tolist())) <= 1


def test_a_student_that_cannot_mimic_says_so() -> None:
    effort = replace(SMALL, most=400)
    case = Case(kind=Unlearnable, effort=effort)

    [note] = case.narrowed().notes

    assert "The recall asked for, 0.99, was not reached." in note
    told = float(note.split("audited recall ")[1].split()[0])
    assert told < 0.6


def test_where_it_may_be_rated_everything_is_before_recall_is_given_up() -> None:
    case = Case(kind=Unlearnable, effort=replace(SMALL, most=10_000))

    pool = case.pool()

    assert "audited recall 1.000" in pool.notes[0]
    assert "not reached" not in pool.notes[0]
    assert pool.addresses[pool.ranks > 0].tolist()[:20] == case.expected().best(20)


def test_the_recall_that_is_told_is_that_of_the_whole_space() -> None:
    effort = replace(SMALL, audited=300, lessons=Lessons(8, 4, 250), recall=0.0)
    case = Case(kind=Unlearnable, effort=effort, size=4_005)
    everyone = case.expected()
    best = set(everyone.best(len(everyone.addresses) * best_count(300) // 300))
    told, counted = [], []
    for seed in range(6):
        found = cascade(case.question(), Wish(mean, None, seed, 20.0), effort, silent)
        assert found is not None
        told.append(float(found.notes[0].split("audited recall ")[1].split()[0]))
        counted.append(len(best & set(found.addresses.tolist())) / len(best))

    # Those drawn to learn from and to audit, one in eight, are found whatever the student says.
    assert np.mean(told) - 0.1 < np.mean(counted) < np.mean(told) + 0.2


def test_progress_never_goes_back_and_stops_a_cascade() -> None:
    shares: list[float] = []
    case = Case(kind=Unlearnable)
    case.narrowed(lambda share, doing: shares.append(share))
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1

    for stop_at in (0.0, 0.3, 0.6, 0.9):
        with pytest.raises(KeyboardInterrupt):
            CASES["pairs"].narrowed(lambda share, doing, at=stop_at: stop(share >= at))  # type: ignore[misc]


def stop(now: bool) -> None:
    if now:
        raise KeyboardInterrupt


def test_a_space_of_which_hardly_anything_is_on_offer_is_left_to_others() -> None:
    case = Case(excluded=np.arange(100, 4_005, dtype=np.int64))

    assert cascade(case.question(), Wish(mean, None, 0, 20.0), SMALL, silent) is None


def test_a_small_space_is_left_to_others() -> None:
    case = Case((1,) * 20)

    assert cascade(case.question(), Wish(mean, None, 0, 20.0), SMALL, silent) is None


def test_money_counts_in_what_is_let_through() -> None:
    prices = np.linspace(0.0, 9.0, 90)
    limits = Limits(uses=np.zeros(90, dtype=np.int64), costs=prices, money=1_000.0)
    case = Case(limits=limits)
    ask = case.question()
    assert ask.limits.budget is not None
    ask.limits.budget.rate = 1.0
    expected = case.expected()
    combinations = case.space.unrank(expected.addresses)
    charged = ask.limits.charged(expected.utilities, combinations)
    best = set(expected.addresses[np.argsort(-charged, kind="stable")[:20]].tolist())

    found = cascade(ask, Wish(mean, None, 0, 20.0), SMALL, silent)

    assert found is not None
    assert len(best - set(found.addresses.tolist())) <= 1


def test_recall_counts_ties_for_the_last_place_as_equals() -> None:
    utilities = np.array([5.0, 4.0, *[3.0] * 60, *[0.0] * 138])
    passed = np.zeros(200, dtype=np.bool_)
    passed[[0, *range(40, 70)]] = True

    recall = recall_of(utilities, passed)

    assert (recall.best, recall.drawn) == (20, 200)
    assert recall.found == 1 + 18


def test_the_interval_of_a_recall_is_that_of_clopper_and_pearson() -> None:
    assert Recall(100, 100, 100_000).at_least == pytest.approx(0.05 ** (1 / 100))
    assert Recall(0, 20, 200).at_least == 0.0
    assert str(Recall(99, 100, 100_000)) == (
        "recall 0.990 (at least 0.953) of the best 100 of 100,000 drawn at random"
    )


def test_the_share_that_is_needed_reaches_the_recall() -> None:
    rng = np.random.default_rng(0)
    utilities = rng.normal(size=5_000)
    scores = utilities + rng.normal(size=5_000)

    share = share_needed(utilities, scores, 0.9)

    cut = np.quantile(scores, 1 - share)
    assert recall_of(utilities, scores >= cut).share == pytest.approx(0.9, abs=0.051)


class Hidden(OneByOne):
    """Half of the items look alike; only pairs of a few of them, seldom landmarks, are better."""

    def member_means(self, combinations: Combinations) -> Tensor:
        alike = (combinations.components < 200).sum(axis=1)
        few = ((combinations.components >= 10) & (combinations.components < 40)).sum(axis=1)
        one = torch.from_numpy(alike + 5.0 * (few > 1))
        return torch.stack([one, one], dim=-1).repeat(2, 1, 1)


def test_those_that_tie_at_the_cut_and_are_not_let_through_do_not_count_as_found() -> None:
    lessons = Lessons(8, 6, 2_000)
    effort = Effort(0.99, 20_000, lessons, share=0.02, most=800, begun=800, listed=300)
    case = Case((1,) * 400, kind=Hidden, effort=effort)

    found = cascade(case.question(), Wish(mean, members, 0, 20.0), effort, silent)

    assert found is not None
    told = float(found.notes[0].split("audited recall ")[1].split()[0])
    assert told < 0.75
    assert "not reached" in found.notes[0]


class Forgetful(Everywhere):
    """Tiles that hold everywhere, until a member forgets what the first item does behind others."""

    forgets = False

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> "ForgetfulTiler":
        return ForgetfulTiler(self, items, readouts, precision)


class ForgetfulTiler(EverywhereTiler):
    def means(self, begun: object, first: int, stop: int, out: Tensor) -> None:
        super().means(begun, first, stop, out)
        if first == 0 and self._draws.forgets:  # type: ignore[attr-defined]
            out[:, 1, 0] = torch.nan

    def twin(self) -> "ForgetfulTiler":
        return ForgetfulTiler(self._draws, self._items, self._readouts, self._precision)


@pytest.mark.parametrize("moment", ["teaching a student", "rating what the student let through"])
def test_no_number_before_a_landmark_or_in_a_whole_row_is_named(moment: str) -> None:
    case = Case((1, 2) * 45, kind=Forgetful)

    def forget(share: float, doing: str) -> None:
        case.draws.forgets = doing == moment  # type: ignore[attr-defined]

    with pytest.raises(IncompatibleError, match=r"Member 2 .* nan for perturbagens \[0, "):
        case.narrowed(forget)


def test_many_small_sections_have_students_too() -> None:
    effort = replace(SMALL, listed=100_000, most=3_000)
    case = Case((1,) * 90, contexts=3, effort=effort)

    pool = case.pool()

    assert "3 students" in pool.notes[0]
    missed = set(case.expected().best(20)) - set(pool.addresses[pool.ranks > 0].tolist())
    assert len(missed) <= 1


def test_a_section_of_which_hardly_anything_is_on_offer_is_looked_at_in_full() -> None:
    case = Case((1,) * 90, contexts=2, excluded=np.arange(50, 4_005, dtype=np.int64))
    case.draws.contexts[:, 0] += 1_000.0

    pool = case.pool()

    assert pool.addresses[pool.ranks > 0].tolist() == case.expected().best(20)
    assert pool.addresses[pool.ranks > 0].max() < 50
    assert "a student of rank" in pool.notes[0]


def test_a_random_survey_says_so() -> None:
    case = Case(excluded=np.arange(100, 4_005, dtype=np.int64))

    [note] = case.pool().notes

    assert note.startswith("Only ")
    assert "drawn at random, were looked at: the space is larger than scan_limit" in note


@pytest.mark.parametrize("most", [400, 3_000])
def test_no_more_are_let_through_than_may_be(most: int) -> None:
    case = Case(kind=Unlearnable, effort=replace(SMALL, most=most))

    [note] = case.narrowed().notes

    through = int(note.split(" let ")[1].split(" through")[0].replace(",", ""))
    assert most // 2 < through <= most
