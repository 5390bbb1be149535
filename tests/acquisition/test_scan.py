"""Stage one: the pool that a scan gives, by tiles and without them."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs
from acquisition.belief.marginals import Marginals
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Survey
from acquisition.scan import Scan
from acquisition.scanning.pool import Pool
from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, IntArray
from loop.ports.engine import BatchRequest, Compute, Limits, Progress, silent
from loop.space import ListedSpace, VirtualSpace
from tests.acquisition.brute_force import BruteForce
from tests.acquisition.tiled_draws import TiledDraws
from tests.loop.space.listing import small_spaces

NOBODY = np.empty(0, dtype=np.int64)


def mean(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].mean


def bound(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].mean + asked[0].epistemic_sd


def both(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].mean - 0.5 * asked[1].mean


def each_member(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].means


class Untiled:
    """The same surrogate without tiles."""

    def __init__(self, draws: TiledDraws) -> None:
        self._draws = draws

    def member_means(self, combinations: Combinations) -> Tensor:
        return self._draws.member_means(combinations)

    def noise_sd(self) -> Tensor:
        return self._draws.noise_sd()


@dataclass(frozen=True)
class Case:
    """A space, a surrogate, and what may be chosen."""

    space: Any
    draws: Any
    excluded: IntArray = field(default_factory=lambda: NOBODY)
    limits: Limits = field(default_factory=Limits)
    size: int = 20
    salt: int = 3
    threads: int = 1
    checkpoint: Path | None = None
    readouts: tuple[int, ...] = (0,)

    def scan(
        self,
        utility: Any = mean,
        favourites: Any = each_member,
        precision: str = "float32",
        progress: Progress = silent,
        patience: float = 20.0,
    ) -> Pool:
        survey = Survey(len(self.space), 10**6, 5)
        scan = Scan(survey, 37, self.salt, utility, favourites, precision, patience)
        request = BatchRequest(
            self.space,
            self.excluded,
            self.draws,
            Goal.MAXIMIZE,
            (Readout("gi"), Readout("growth")),
            None,
            self.space.unrank(NOBODY),
            4,
            {},
            self.limits,
            compute=Compute(threads=self.threads),
            checkpoint=self.checkpoint,
        )
        beliefs = MemberBeliefs(self.draws, 1, self.readouts)
        keeper = Keeper(self.limits, 4)
        return scan.best(request, beliefs, self.excluded, keeper, self.size, progress)

    def brute_force(self, utility: Any = mean) -> BruteForce:
        return BruteForce.of(
            self.space, self.draws, utility, each_member, self.excluded, self.limits, self.salt
        )


def tiled_case(perturbagens: int = 60, size: int = 20, **changes: Any) -> Case:
    """Singles and pairs, some perturbagens at two levels, in two contexts, with controls."""
    levels = [1 + (at % 7 == 0) for at in range(perturbagens)]
    space = VirtualSpace(levels, 2, (0, 1, 2), [(0, 1), (5,)])
    draws = TiledDraws(levels, 2, rows=7, columns=16, spread=60)
    return replace(Case(space, draws, np.arange(3, 900, 7), size=size), **changes)


def same(one: Pool, other: Pool) -> bool:
    """The same candidates in the same order with the same utilities and ranks."""
    return (
        np.array_equal(one.addresses, other.addresses)
        and np.array_equal(one.utilities, other.utilities)
        and np.array_equal(one.ranks, other.ranks)
        and np.array_equal(one.combinations.components, other.combinations.components)
        and np.array_equal(one.combinations.levels, other.combinations.levels)
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    levels, contexts, orders, forbidden, slots = draw(small_spaces())
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)
    taken = draw(st.sets(st.integers(0, len(space) - 1), max_size=20))
    uses = draw(st.lists(st.integers(0, 2), min_size=len(levels), max_size=len(levels)))
    limits = Limits(max_uses=draw(st.integers(0, 2)), uses=np.array(uses, dtype=np.int64))
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    draws = TiledDraws(levels, contexts, 4, draw(st.integers(0, 5)), rows, columns, spread=2)
    excluded = np.array(sorted(taken), dtype=np.int64)
    size, salt, threads = draw(st.tuples(*[st.integers(1, 3)] * 3))
    return Case(space, draws, excluded, limits, 9 * size - 8, salt, threads)


@settings(max_examples=80, deadline=None)
@given(cases())
def test_a_scan_by_tiles_and_one_without_equal_brute_force(case: Case) -> None:
    tiled, untiled = case.scan(), replace(case, draws=Untiled(case.draws)).scan()
    expected = case.brute_force()

    listed = tiled.addresses[np.argsort(tiled.ranks, kind="stable")][(tiled.ranks == 0).sum() :]
    assert listed.tolist() == expected.best(case.size)
    each = -(-case.size // 4)
    favourites = {one for member in range(4) for one in expected.favourites(member, each)}
    assert set(tiled.addresses.tolist()) == set(listed.tolist()) | favourites
    assert same(tiled, untiled)


@pytest.mark.parametrize("utility", [mean, bound])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 20, 700])
def test_tiles_leave_over_the_best_of_thousands(utility: Any, threads: int, size: int) -> None:
    case = tiled_case(size=size, threads=threads)

    tiled = case.scan(utility)

    assert same(tiled, replace(case, draws=Untiled(case.draws)).scan(utility))
    assert tiled.addresses[tiled.ranks > 0].tolist() == case.brute_force(utility).best(size)
    assert case.draws.tiles > 50


def test_a_scan_by_tiles_counts_what_is_on_offer() -> None:
    case = tiled_case()

    tiled = case.scan()

    assert tiled.scanned == len(case.brute_force().addresses)
    assert tiled.scanned == replace(case, draws=Untiled(case.draws)).scan().scanned
    assert tiled.notes == ()


def test_what_limits_leave_no_room_for_counts_as_scanned_with_tiles_and_without() -> None:
    uses = np.arange(60) % 2
    case = tiled_case(limits=Limits(max_uses=1, uses=uses))

    tiled, untiled = case.scan(), replace(case, draws=Untiled(case.draws)).scan()

    taken = case.space.permitted(case.space.unrank(case.excluded)).sum()
    assert tiled.scanned == untiled.scanned == case.space.on_offer() - taken
    assert len(case.brute_force().addresses) < tiled.scanned


def test_controls_are_rated_though_they_have_no_tile() -> None:
    case = tiled_case()
    case.draws.contexts[:, 1] += 100.0
    case.draws.effects -= 50.0

    pool = case.scan()

    best = pool.combinations[:1]
    assert best.components.tolist() == [[-1, -1]]
    assert best.contexts.tolist() == [1]


def test_a_listed_space_is_scanned_without_tiles() -> None:
    case = tiled_case()
    addresses = case.brute_force().addresses
    listed = ListedSpace(case.space.unrank(addresses))

    pool = replace(case, space=listed, excluded=NOBODY).scan(favourites=None)

    assert case.draws.tiles == 0
    whole = case.scan(favourites=None)
    assert sorted(pool.utilities.tolist()) == sorted(whole.utilities.tolist())


def test_several_readouts_come_through_tiles_in_the_order_asked_for() -> None:
    case = tiled_case(readouts=(1, 0))

    tiled = case.scan(both)

    assert same(tiled, replace(case, draws=Untiled(case.draws)).scan(both))
    assert not same(tiled, replace(case, readouts=(0, 1)).scan(both))


def test_a_space_past_the_limit_is_surveyed_not_swept() -> None:
    case = tiled_case()
    survey = Survey(len(case.space), 100, 5)
    assert not survey.is_whole
    scan = Scan(survey, 37, 3, mean, None)
    request = BatchRequest(
        case.space,
        NOBODY,
        case.draws,
        Goal.MAXIMIZE,
        (Readout("gi"),),
        None,
        case.space.unrank(NOBODY),
        4,
        {},
    )

    pool = scan.best(request, MemberBeliefs(case.draws, 1), NOBODY, Keeper(Limits()), 10, silent)

    assert 90 <= pool.scanned <= 100
    assert case.draws.tiles == 0


def test_bf16_gives_the_pool_of_float32_and_says_how_well_they_agree() -> None:
    case = tiled_case(150, size=300)

    low, high = case.scan(bound, precision="bf16"), case.scan(bound)

    shared = len(set(low.addresses.tolist()) & set(high.addresses.tolist()))
    assert shared >= 0.99 * len(high)
    [note] = low.notes
    assert note.startswith("Tiles were rated in bf16: of the 300 best in float32")
    assert "rated again" not in note


def test_bf16_that_cannot_tell_candidates_apart_is_done_over_in_float32() -> None:
    """All predictions lie within what bf16 rounds to the same number."""
    case = tiled_case(150, size=300)
    case.draws.contexts += 2.0**14
    shares: list[float] = []

    low = case.scan(bound, precision="bf16", progress=lambda share, doing: shares.append(share))

    assert same(low, case.scan(bound))
    [note] = low.notes
    assert note.endswith("So everything was rated again in float32.")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_a_member_that_predicts_no_number_is_named(tiled: bool, value: float) -> None:
    case = tiled_case()
    case.draws.spoil(1, 59, 0, value)
    asked = case if tiled else replace(case, draws=Untiled(case.draws))

    with pytest.raises(IncompatibleError, match=rf"Member 2 .* {value} for perturbagens .*59\]"):
        asked.scan()


@pytest.mark.parametrize("tiled", [True, False])
def test_a_utility_that_is_no_number_is_refused(tiled: bool) -> None:
    case = tiled_case()
    asked = case if tiled else replace(case, draws=Untiled(case.draws))

    def broken(asked: tuple[Marginals, ...]) -> Tensor:
        return torch.where(asked[0].mean == asked[0].mean.max(), torch.inf, asked[0].mean)

    with pytest.raises(IncompatibleError, match="inf, which is not a finite number"):
        asked.scan(broken)


class Killed(Exception):  # noqa: N818
    pass


def kill_past(limit: float) -> Progress:
    def report(share: float, doing: str) -> None:
        if share > limit:
            raise Killed

    return report


def killed_and_left(case: Case, share: float) -> None:
    """Run a scan until it is killed; it leaves something as soon as it can."""
    with pytest.raises(Killed):
        case.scan(progress=kill_past(share), patience=0.0)


def test_a_killed_scan_goes_on_to_the_same_pool(tmp_path: Path) -> None:
    case = tiled_case(checkpoint=tmp_path)
    undisturbed = replace(case, checkpoint=None).scan()
    whole = case.draws.tiles
    killed_and_left(case, 0.6)
    [file] = tmp_path.iterdir()
    before = case.draws.tiles

    resumed = case.scan()

    assert same(resumed, undisturbed)
    assert case.draws.tiles - before < 0.6 * whole
    assert not file.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"salt": 4},
        {"size": 21},
        {"excluded": np.arange(3, 900, 8)},
        {"limits": Limits(max_uses=1, uses=np.eye(1, 60, 7, dtype=np.int64)[0])},
        {"readouts": (1,)},
        {
            "space": VirtualSpace(
                [1 + (at % 7 == 0) for at in range(60)], 2, (0, 1, 2), [(0, 1), (6,)]
            )
        },
        {"draws": TiledDraws([1 + (at % 7 == 0) for at in range(60)], 2, seed=1)},
    ],
)
def test_another_question_does_not_go_on_from_a_killed_scan(
    change: dict[str, Any], tmp_path: Path
) -> None:
    case = tiled_case(checkpoint=tmp_path)
    killed_and_left(case, 0.6)
    [file] = tmp_path.iterdir()
    other = replace(case, **change)

    answer = other.scan()

    assert same(answer, replace(other, checkpoint=None).scan())
    assert file.exists()


def test_a_scan_can_be_cancelled_at_every_moment() -> None:
    case, before = tiled_case(threads=2), torch.get_num_threads()

    for limit in (0.0, 0.5, 0.94, 0.99):
        with pytest.raises(Killed):
            case.scan(progress=kill_past(limit))

    assert torch.get_num_threads() == before
    shares: list[float] = []
    case.scan(progress=lambda share, doing: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
