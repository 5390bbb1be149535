"""A sweep over the tiles of a space."""

import pickle
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs
from acquisition.belief.marginals import Marginals
from acquisition.belief.member_rater import MemberRater
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Gate
from acquisition.scanning.found import Found, Keeping, merge
from acquisition.scanning.scan_checkpoint import Checkpoint
from acquisition.scanning.sweep import Sweep
from loop.domain.errors import IncompatibleError, InvalidError
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import Limits, Progress
from loop.space import VirtualSpace
from tests.acquisition.brute_force import BruteForce
from tests.acquisition.tiled_draws import TiledDraws
from tests.loop.space.listing import small_spaces


def mean(asked: tuple[Marginals, ...]) -> Tensor:
    """Exact for four members: ties are ties."""
    return asked[0].mean


def each_member(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].means


@dataclass(frozen=True)
class Case:
    """A space, a surrogate, and what may be chosen."""

    space: VirtualSpace
    draws: TiledDraws
    excluded: IntArray
    limits: Limits
    keeping: Keeping

    def sweep(self, threads: int = 1) -> Sweep:
        tiling = MemberBeliefs(self.draws, 1).tiling(self.space, "float32")
        assert tiling is not None
        gate = Gate(self.space, self.excluded, Keeper(self.limits))
        rater = MemberRater(tiling, mean, each_member)
        return Sweep(self.space, rater, gate, self.keeping, threads)

    def expected(self) -> BruteForce:
        """Of all but the controls, which have no tile."""
        every = BruteForce.of(
            self.space,
            self.draws,
            mean,
            each_member,
            self.excluded,
            self.limits,
            self.keeping.salt,
        )
        held = (self.space.unrank(every.addresses).components >= 0).any(axis=1)
        return every.without(held)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    levels, contexts, orders, forbidden, slots = draw(small_spaces())
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)
    taken = draw(st.sets(st.integers(0, len(space) - 1), max_size=20))
    max_uses = draw(st.integers(0, 2))
    uses = draw(st.lists(st.integers(0, 2), min_size=len(levels), max_size=len(levels)))
    draws = TiledDraws(
        levels,
        contexts,
        seed=draw(st.integers(0, 5)),
        rows=draw(st.integers(1, 9)),
        columns=draw(st.integers(1, 9)),
        spread=draw(st.sampled_from([0, 1, 6])),
    )
    keeping = Keeping(draw(st.integers(1, 40)), draw(st.integers(1, 10)), draw(st.integers(0, 9)))
    limits = Limits(max_uses=max_uses, uses=np.array(uses, dtype=np.int64))
    return Case(space, draws, np.array(sorted(taken), dtype=np.int64), limits, keeping)


def plain_case(rows: int = 3, columns: int = 5, perturbagens: int = 40) -> Case:
    """All pairs of some perturbagens, a few of them at two levels."""
    levels = [1 + (at % 7 == 0) for at in range(perturbagens)]
    space = VirtualSpace(levels, 1, (1, 2), [(0, 1), (5,)])
    draws = TiledDraws(levels, rows=rows, columns=columns)
    excluded = np.arange(3, 60, 7, dtype=np.int64)
    return Case(space, draws, excluded, Limits(), Keeping(25, 8, 11))


def same(one: Found, other: Found) -> bool:
    """To the last bit."""
    lists = zip(one.lists, other.lists, strict=True)
    return (
        all(
            np.array_equal(a.addresses, b.addresses)
            and np.array_equal(a.utilities.view(np.uint32), b.utilities.view(np.uint32))
            for a, b in lists
        )
        and one.rated == other.rated
        and np.array_equal(one.ranges, other.ranges)
    )


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 3))
def test_a_sweep_keeps_what_brute_force_would_keep(case: Case, threads: int) -> None:
    found, expected = case.sweep(threads).over(), case.expected()

    assert found.marginal.addresses.tolist() == expected.best(case.keeping.size)
    for member, best in enumerate(found.by_member):
        assert best.addresses.tolist() == expected.favourites(member, case.keeping.each)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_sweep_and_what_lies_outside_it_are_the_whole_space(case: Case) -> None:
    sweep = case.sweep()
    found, outside = sweep.over(), sweep.blocks.outside(len(case.space))

    controls = [address for part in outside for address in part]
    held = (case.space.unrank(np.arange(len(case.space))).components >= 0).any(axis=1)
    assert controls == np.flatnonzero(~held).tolist()
    assert found.rated == held.sum() == sweep.blocks.candidates_in(range(len(sweep.blocks)))


@settings(max_examples=60, deadline=None)
@given(cases(), st.data())
def test_parts_merge_to_the_answer_of_one_sweep_in_any_order(
    case: Case, data: st.DataObject
) -> None:
    sweep = case.sweep()
    total = len(sweep.blocks)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, total), max_size=4))), total]
    shards = [range(start, stop) for start, stop in pairwise(cuts)]

    parts = [sweep.over(shard) for shard in data.draw(st.permutations(shards))]
    sent = [pickle.loads(pickle.dumps(part)) for part in parts]

    assert same(merge(sent, case.keeping), sweep.over())


class Priced(Gate):
    """A gate that takes something off, more or less for every third address."""

    def charged(self, addresses: IntArray, utilities: FloatArray) -> FloatArray:
        return utilities - (addresses % 3) / 4.0


@settings(max_examples=60, deadline=None)
@given(cases())
def test_what_is_kept_is_kept_by_utility_less_its_price(case: Case) -> None:
    gate = Priced(case.space, case.excluded, Keeper(case.limits))
    expected = case.expected()
    priced = replace(expected, utilities=gate.charged(expected.addresses, expected.utilities))

    found = replace(case.sweep(), admission=gate).over()

    assert found.marginal.addresses.tolist() == priced.best(case.keeping.size)
    for member, best in enumerate(found.by_member):
        assert best.addresses.tolist() == expected.favourites(member, case.keeping.each)


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    case = plain_case()

    answers = [case.sweep(threads).over() for threads in (1, 2, 3, 8)]

    assert all(same(answers[0], each) for each in answers[1:])
    assert len(answers[0].marginal.addresses) == 25


@settings(max_examples=60, deadline=None)
@given(cases(), st.data())
def test_a_range_of_blocks_holds_what_its_blocks_hold(case: Case, data: st.DataObject) -> None:
    blocks = case.sweep().blocks
    start = data.draw(st.integers(0, len(blocks)))
    stop = data.draw(st.integers(start, len(blocks)))

    tiles = [tile for at in range(start, stop) for run in blocks.tiles(at) for tile in run]

    assert blocks.candidates_in(range(start, stop)) == sum(
        blocks.candidates(at) for at in range(start, stop)
    )
    held = [np.maximum(each.stop - np.maximum(each.stripe.starts, each.first), 0) for each in tiles]
    assert sum(int(each.sum()) for each in held) == blocks.candidates_in(range(start, stop))


@pytest.mark.parametrize("rows", [1, 4, 1_000])
@pytest.mark.parametrize("columns", [1, 6, 1_000])
def test_whatever_the_size_of_a_tile_the_same_are_kept(rows: int, columns: int) -> None:
    found = plain_case(rows, columns).sweep().over()

    assert (
        found.marginal.addresses.tolist() == plain_case().sweep().over().marginal.addresses.tolist()
    )


def test_a_block_merged_twice_is_refused() -> None:
    case = plain_case()
    part = case.sweep().over(range(3))

    with pytest.raises(InvalidError, match="rated twice"):
        merge([part, case.sweep().over(range(2, 5))], case.keeping)


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_rises_to_one_and_torch_gets_its_threads_back(threads: int) -> None:
    before, shares = torch.get_num_threads(), list[float]()

    plain_case().sweep(threads).over(progress=lambda share, doing: shares.append(share))

    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert torch.get_num_threads() == before


class Cancelled(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_that_raises_stops_every_thread(threads: int) -> None:
    case, before = plain_case(rows=1), torch.get_num_threads()

    def cancel(share: float, doing: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        case.sweep(threads).over(progress=cancel)

    assert torch.get_num_threads() == before
    tiles = case.draws.tiles
    case.sweep(1).over(range(1))
    assert case.draws.tiles - tiles <= 10, "nobody else is at work"


class Killed(Exception):  # noqa: N818
    pass


def killed_after(blocks: int) -> Progress:
    """A progress that ends everything after some blocks."""
    left = iter(range(blocks))

    def report(share: float, doing: str) -> None:
        if next(left, None) is None:
            raise Killed

    return report


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("lived", [0, 4, 9])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, threads: int, lived: int) -> None:
    case = plain_case(rows=2)
    undisturbed = case.sweep().over()
    all_tiles = case.draws.tiles
    sweep = replace(case.sweep(threads), checkpoint=Checkpoint(tmp_path, "a", seconds=0.0))
    with pytest.raises(Killed):
        sweep.over(progress=killed_after(lived))
    before = case.draws.tiles

    again = replace(case.sweep(threads), checkpoint=Checkpoint(tmp_path, "a"))
    shares = list[float]()
    answer = again.over(progress=lambda share, doing: shares.append(share))

    assert same(answer, undisturbed)
    assert case.draws.tiles - before < all_tiles * (1 - lived / len(sweep.blocks) / 2)
    assert min(shares) > lived / len(sweep.blocks)
    assert list(tmp_path.iterdir()) == []


def test_what_was_kept_of_another_question_does_not_count(tmp_path: Path) -> None:
    case = plain_case()
    first = replace(case.sweep(), checkpoint=Checkpoint(tmp_path, "a" * 16 + "1", seconds=0.0))
    with pytest.raises(Killed):
        first.over(progress=killed_after(5))

    assert Checkpoint(tmp_path, "a" * 16 + "2").recall(range(len(first.blocks))) is None
    assert Checkpoint(tmp_path, "a" * 16 + "1").recall(range(2)) is None
    assert Checkpoint(tmp_path, "a" * 16 + "1").recall(range(len(first.blocks))) is not None


def test_half_a_file_counts_as_none(tmp_path: Path) -> None:
    case = plain_case()
    sweep = replace(case.sweep(), checkpoint=Checkpoint(tmp_path, "a", seconds=0.0))
    with pytest.raises(Killed):
        sweep.over(progress=killed_after(5))
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:300])

    assert same(sweep.over(), case.sweep().over())


def test_a_short_sweep_leaves_nothing_on_disk(tmp_path: Path) -> None:
    sweep = replace(plain_case().sweep(), checkpoint=Checkpoint(tmp_path / "none", "a"))

    with pytest.raises(Killed):
        sweep.over(progress=killed_after(5))

    assert not (tmp_path / "none").exists()


def test_a_disk_that_refuses_does_not_end_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    checkpoint = Checkpoint(tmp_path / "file" / "scans", "a", seconds=0.0)

    found = replace(plain_case().sweep(), checkpoint=checkpoint).over()

    assert same(found, plain_case().sweep().over())
    assert "left no checkpoint" in checkpoint.trouble


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_member_that_predicts_no_number_is_named(value: float, threads: int) -> None:
    case = plain_case()
    case.draws.spoil(2, 39, 0, value)

    with pytest.raises(IncompatibleError, match=rf"Member 3 .* {value} .*39\] at levels"):
        case.sweep(threads).over()


@pytest.mark.parametrize("litter", [float("nan"), float("inf"), 1e30])
def test_numbers_of_no_meaning_in_a_tile_do_not_matter(litter: float) -> None:
    case = plain_case(rows=9)
    expected = case.sweep().over()
    case.draws.litter = litter

    assert same(case.sweep().over(), expected)


def test_a_utility_that_is_no_number_is_refused_with_the_address() -> None:
    case = plain_case()
    sweep = case.sweep()

    def broken(asked: tuple[Marginals, ...]) -> Tensor:
        return torch.where(asked[0].mean == asked[0].mean.max(), torch.nan, asked[0].mean)

    tiling = MemberBeliefs(case.draws, 1).tiling(case.space, "float32")
    assert tiling is not None
    with pytest.raises(IncompatibleError, match=r"at address \d+ is rated nan"):
        replace(sweep, rater=MemberRater(tiling, broken, None)).over()


def test_blocks_of_triples_are_not_rated_where_prefixes_start_again() -> None:
    """Without cutting at the turns, a tile behind (0, 9) and (1, 2) would be empty by half."""
    space = VirtualSpace([1] * 10, 1, (3,))
    draws = TiledDraws([1] * 10, rows=4, columns=100)
    sweep = Case(space, draws, np.empty(0, dtype=np.int64), Limits(), Keeping(5, 5, 0)).sweep()

    tiles = [
        tile
        for block in range(len(sweep.blocks))
        for run in sweep.blocks.tiles(block)
        for tile in run
    ]

    computed = sum((tile.stop - tile.first) * len(tile.stripe.starts) for tile in tiles)
    assert computed < 1.7 * len(space)
    assert all(np.diff(tile.stripe.starts).min(initial=0) >= 0 for tile in tiles)


def test_every_block_is_handed_to_somebody_once() -> None:
    case = plain_case()
    sweep = case.sweep()
    parts = [sweep.over(range(at, at + 1)) for at in range(len(sweep.blocks))]

    assert (
        sum(part.rated for part in parts) == sweep.over().rated == merge(parts, case.keeping).rated
    )
    assert merge(parts, case.keeping).ranges.tolist() == [[0, len(parts)]]
