from dataclasses import replace

import numpy as np
import pytest
import torch

from acquisition.cascade.beam import Beam, ProspectRater
from acquisition.cascade.dense_rows import DenseRows
from acquisition.cascade.rows_space import RowsSpace
from acquisition.cascade.student import Student
from acquisition.limits.keeper import Keeper
from acquisition.scanning.item_numbers import ItemNumbers
from loop.ports.engine import Group, Limits, Section, silent
from loop.space import VirtualSpace
from tests.acquisition.test_cascade import SMALL, Case, Unlearnable


def student(items: int, rank: int = 3, seed: int = 0) -> Student:
    rng = np.random.default_rng(seed)
    return Student(
        0.4,
        np.append(rng.normal(size=items), 0.0),
        np.vstack([rng.normal(size=(items, rank)), np.zeros(rank)]),
        np.where(np.arange(rank) % 2, -1.0, 1.0),
        1.0,
    )


def test_a_prospect_is_the_mean_and_two_sds_over_all_further_items() -> None:
    items = VirtualSpace([1] * 12, 1, (3,)).items
    numbers, pupil = ItemNumbers(items), student(12)
    rater = ProspectRater(pupil, numbers, 1)
    rows = np.arange(12)[:, None]
    prefixes = numbers.sets(rows, 0, 3)

    said, _ = rater.rate(rater.begin(prefixes), 0, 12)

    for one, other in ((0, 5), (7, 2), (11, 10)):
        pair = np.array([[one, other]])
        continued = np.column_stack([np.tile(pair, (12, 1)), np.arange(12)])
        worth = pupil.scores(continued)
        expected = worth.mean() + 2 * worth.std()
        assert float(said[other, one]) == pytest.approx(expected, rel=1e-4)


def beam(space: VirtualSpace, width: int, limits: Limits | None = None) -> Beam:
    return Beam(space, space.items, space.slots, Keeper(limits or Limits(), 4), width, 3, 1)


@pytest.mark.parametrize("order", [3, 4])
def test_a_wide_beam_holds_every_permitted_prefix(order: int) -> None:
    space = VirtualSpace([1, 2, 1, 1, 1, 2, 1], 1, (order,), [(0, 2), (3,)])
    section = space.sections()[0]

    found = beam(space, 10_000).prefixes(section, student(9), silent)

    every = VirtualSpace([1, 2, 1, 1, 1, 2, 1], 1, (order - 1,), [(0, 2), (3,)])
    assert len(found) == every.on_offer()


def test_a_narrow_beam_holds_the_best_prospects() -> None:
    space = VirtualSpace([1] * 30, 1, (3,))
    numbers, pupil = ItemNumbers(space.items), student(30)

    found = beam(space, 40).prefixes(Section(0, 3, 435), pupil, silent)

    pairs = np.array([[i, j] for i in range(30) for j in range(i + 1, 30)])
    rater = ProspectRater(pupil, numbers, 1)
    said = rater.rate(rater.begin(numbers.sets(np.arange(30)[:, None], 0, 3)), 0, 30)[0]
    prospects = said[torch.from_numpy(pairs[:, 1]), torch.from_numpy(pairs[:, 0])].numpy()
    best = pairs[np.argsort(-prospects)[:40]]
    assert sorted(map(tuple, found.sets.tolist())) == sorted(map(tuple, best.tolist()))


def test_whoever_has_no_room_is_in_no_beam() -> None:
    space = VirtualSpace([1] * 12, 1, (3,))
    limits = Limits(max_uses=1, uses=np.array([1, 1] + [0] * 10))

    found = beam(space, 1_000, limits).prefixes(space.sections()[0], student(12), silent)

    assert len(found) == 45
    assert found.sets.min() == 2


def test_a_beam_need_not_hold_what_a_group_is_owed_but_nothing_of_a_full_one() -> None:
    space = VirtualSpace([1] * 12, 1, (3,))
    owed, full = np.arange(12) == 11, np.arange(12) == 0
    limits = Limits(groups=(Group("owed", owed, 4), Group("full", full, 0, 0)))

    found = beam(space, 1_000, limits).prefixes(space.sections()[0], student(12), silent)

    assert len(found) == 11 * 10 // 2


def test_rows_are_found_again_by_any_subset() -> None:
    rows = DenseRows.at(np.array([[4, 7], [0, 2]]), 10)

    held = rows.hold(np.array([[4, 7, 9], [1, 4, 7], [0, 1, 2], [0, 4, 9]]))

    assert held.tolist() == [True, True, True, False]
    assert rows.first(np.array([[0, 2, 9], [4, 5, 7]])).tolist() == [0, 1]


def test_candidates_of_rows_are_counted_once_and_only_where_they_are_sets() -> None:
    numbers = ItemNumbers(VirtualSpace([1, 2, 1, 1], 1, (2,)).items)
    rows = DenseRows.at(np.array([[0], [1]]), 5)

    # Item 0 meets four others, item 1 two more: 2 is another level of its own perturbagen.
    assert rows.candidates(numbers) == 4 + 2


def test_a_candidate_stands_in_as_many_rows_as_it_has_subsets_there() -> None:
    items = VirtualSpace([1] * 5, 1, (3,)).items
    rows = RowsSpace(items, np.array([[0, 1], [0, 2]]), 0, 3, np.zeros(2, dtype=np.int64))

    candidates = np.sort(rows.candidates(np.array([2, 6])), axis=1)

    assert candidates.tolist() == [[0, 1, 2], [0, 1, 2]]


BEAMED = replace(SMALL, scanned=1_000, continued=34 * 250)


@pytest.mark.parametrize("orders", [(3,), (2, 3)])
def test_a_cascade_by_a_beam_finds_the_best_of_what_a_student_can_mimic(
    orders: tuple[int, ...],
) -> None:
    case = Case((1,) * 34, orders=orders, effort=BEAMED)
    pool, expected = case.pool(), case.expected()

    missed = set(expected.best(20)) - set(pool.addresses[pool.ranks > 0].tolist())
    assert len(missed) <= 2
    assert any("only those that continue" in note for note in pool.notes)


def test_threads_change_nothing_in_a_beam() -> None:
    case = Case((1,) * 34, orders=(3,), effort=BEAMED)

    assert case.narrowed().addresses.tolist() == (
        replace(case, threads=3).narrowed().addresses.tolist()
    )


def test_the_audit_of_a_beam_covers_what_no_beam_looked_at() -> None:
    effort = replace(SMALL, scanned=1_000, continued=34 * 20, most=2_000)
    case = Case((1,) * 34, orders=(3,), effort=effort, kind=Unlearnable)

    note = case.narrowed().notes[0]

    told = float(note.split("audited recall ")[1].split()[0])
    assert told < 0.7
    assert "not reached" in note


def test_a_beam_finds_the_best_where_a_group_is_owed_every_choice() -> None:
    owed = np.arange(34) == 33
    case = Case(
        (1,) * 34,
        orders=(3,),
        limits=Limits(groups=(Group("owed", owed, 4),)),
        effort=replace(BEAMED, audited=500, continued=34 * 400),
    )
    expected = case.expected()
    holding = case.space.unrank(expected.addresses).components[:, 2] == 33
    theirs = expected.addresses[holding][np.argsort(-expected.utilities[holding], kind="stable")]

    found = set(case.narrowed().addresses.tolist())

    assert len(set(theirs[:10].tolist()) - found) <= 1
