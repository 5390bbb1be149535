from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loop import plugins
from loop.choose import Known, Question, audit_wells, best_so_far, choose
from loop.constraints import broken_by
from loop.domain.batch import ChosenBy
from loop.domain.campaign import FirstBatch
from loop.domain.errors import IncompatibleError, NotEnoughCandidatesError
from loop.domain.goal import Goal, Readout
from loop.nothing_known import NothingKnown
from loop.ports.arrays import Combinations, Representations, TrainingSet
from loop.ports.engine import Chosen, Compute, Group, Limits
from loop.space import VirtualSpace

SPACE = VirtualSpace(np.ones(9, dtype=np.int64), 1, (2,), slots=2)
NONE = np.zeros(0, dtype=np.int64)
NO_PENDING = Combinations(np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64), NONE)
READOUT = Readout("gi", low=-1, high=1)
NOTHING = SPACE.unrank(np.zeros(0, dtype=np.int64))
FREE = Limits(uses=np.zeros(9, dtype=np.int64))
QUESTION = Question(SPACE, Goal.FIND_HITS, (READOUT,), 0.25, {}, NOTHING, FREE, (2,))
FITTED = object()
"""Stands for a surrogate; the acquisitions of these tests never look at it."""


class Reasoning:
    """The same, with a word on each choice and on all of them."""

    def choose(self, request, rng, progress=None):
        chosen = Recording().choose(request, rng)
        q = request.size
        return replace(
            chosen,
            ranks=np.arange(1, q + 1),
            contributions=np.full(q, 1 / q),
            notes=("Rated all 36 candidates.",),
            values=np.array([2.0, 3.0]),
        )


class Recording:
    """An acquisition that takes the first free addresses and remembers what it was asked."""

    def __init__(self):
        self.requests = []

    def choose(self, request, rng, progress=None):
        self.requests.append(request)
        free = np.setdiff1d(np.arange(len(request.space)), request.taken)[: request.size]
        return Chosen(free, np.arange(len(free), dtype=np.float64), ("Because.",) * len(free))


def ask(surrogate, size, taken=NONE, question=QUESTION, acquisition=None, seed=0, best=None):
    return choose(
        question,
        Known(surrogate, taken, NO_PENDING, best),
        acquisition or Recording(),
        size,
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize(
    ("size", "share", "wells"),
    [
        (128, 0.06, 8),
        (10, 0.06, 1),
        (8, 0.06, 0),
        (1, 0.06, 0),
        (1, 1.0, 1),
        (10, 0.0, 0),
        (10, 1.0, 10),
        (8, 0.25, 2),
    ],
)
def test_the_share_by_lot_is_exact_to_the_nearest_well(size, share, wells):
    assert audit_wells(size, share) == wells


def test_without_a_surrogate_all_is_drawn_by_lot():
    acquisition = Recording()
    told = ask(None, 12, acquisition=acquisition)
    assert acquisition.requests == []
    assert set(told.chosen_by) == {ChosenBy.AUDIT}
    assert len(np.unique(told.addresses)) == 12
    assert np.isnan(told.scores).all()
    np.testing.assert_allclose(told.inclusion, 12 / 36)


def test_the_rest_is_chosen_by_the_acquisition_around_the_lot():
    acquisition = Recording()
    taken = np.array([0, 1, 2])
    told = ask(FITTED, 8, taken, acquisition=acquisition, best=1.5)
    [request] = acquisition.requests
    lot, chosen = told.addresses[:2], told.addresses[2:]
    assert told.chosen_by == (ChosenBy.AUDIT,) * 2 + (ChosenBy.ACQUISITION,) * 6
    assert (request.size, request.best, request.surrogate) == (6, 1.5, FITTED)
    np.testing.assert_array_equal(request.taken, np.union1d(taken, lot))
    components = SPACE.unrank(lot).components
    np.testing.assert_array_equal(request.limits.uses, np.bincount(components.ravel(), minlength=9))
    assert not set(chosen) & {*taken, *lot}
    np.testing.assert_array_equal(told.scores[2:], np.arange(6.0))
    assert np.isnan(told.inclusion[2:]).all()
    np.testing.assert_allclose(told.inclusion[:2], 2 / 33)
    assert told.reasons[2:] == ("Because.",) * 6


def test_all_that_is_known_reaches_the_acquisition():
    acquisition, nothing = Recording(), np.zeros((0, 2))
    counts = nothing.astype(np.int64)
    training = TrainingSet(
        NOTHING, nothing, counts, nothing, np.zeros(0, np.uint64), np.zeros(0, np.bool_)
    )
    urs = Representations(np.zeros((9, 0)), np.zeros(9, np.bool_), np.eye(1), np.zeros((9, 1)))
    compute = Compute(threads=1)
    second = Readout("growth")
    question = replace(
        QUESTION,
        readouts=(READOUT, second),
        representations=urs,
        compute=compute,
        replicates=3,
        checkpoint=Path("scan"),
    )
    known = Known(FITTED, NONE, NO_PENDING, None, training)
    choose(question, known, acquisition, 4, np.random.default_rng(0))
    [request] = acquisition.requests
    assert request.checkpoint == Path("scan")
    assert request.readouts == (READOUT, second)
    assert request.training is training
    assert request.representations is urs
    assert (request.compute, request.replicates) == (compute, 3)


def test_what_an_acquisition_tells_of_its_choices_is_carried_along():
    told = ask(FITTED, 8, acquisition=Reasoning())
    np.testing.assert_array_equal(told.ranks, [0, 0, 1, 2, 3, 4, 5, 6])
    assert np.isnan(told.contributions[:2]).all()
    np.testing.assert_allclose(told.contributions[2:], 1 / 6)
    assert told.notes == ("Rated all 36 candidates.",)
    np.testing.assert_array_equal(told.values, [2.0, 3.0])


def test_what_an_acquisition_does_not_tell_is_unknown():
    told = ask(FITTED, 8)
    assert not told.ranks.any()
    assert np.isnan(told.contributions).all()
    assert len(told.ranks) == len(told.contributions) == 8
    assert (told.notes, len(told.values)) == ((), 0)


def test_audit_wells_are_uniform_over_what_is_on_offer():
    taken = np.arange(0, 36, 2)
    counts = np.zeros(36)
    for seed in range(600):
        counts[ask(FITTED, 8, taken, seed=seed).addresses[:2]] += 1
    assert counts[taken].sum() == 0
    expected = 600 * 2 / 18
    chi = ((counts[1::2] - expected) ** 2 / expected).sum()
    # The 99.9 % point of chi-squared with 17 degrees of freedom.
    assert chi < 40.8


def test_a_batch_wholly_by_lot_asks_no_acquisition():
    acquisition = Recording()
    told = ask(FITTED, 5, question=replace(QUESTION, audit=1.0), acquisition=acquisition)
    assert acquisition.requests == []
    assert len(told.addresses) == 5


def test_more_than_is_left_is_refused_with_both_numbers():
    with pytest.raises(NotEnoughCandidatesError, match=r"37 .* 36 are left; .* --size 36"):
        ask(None, 37)
    with pytest.raises(NotEnoughCandidatesError, match=r"10 .* 6 are left"):
        ask(FITTED, 10, np.arange(30))
    with pytest.raises(NotEnoughCandidatesError, match="nothing left"):
        ask(None, 1, np.arange(36))


@pytest.mark.parametrize("surrogate", [None, FITTED])
def test_the_last_candidates_can_all_be_chosen(surrogate):
    told = ask(surrogate, 6, np.arange(30))
    assert sorted(told.addresses) == list(range(30, 36))


def test_the_same_seed_chooses_the_same_and_another_does_not():
    uniform = plugins.acquisition("random")
    first, same, other = (
        ask(FITTED, 12, seed=seed, acquisition=uniform).addresses.tolist() for seed in (1, 1, 2)
    )
    assert first == same != other


def test_must_haves_come_first_unless_they_are_taken():
    question = replace(QUESTION, required=np.array([4, 7, 9]))
    told = ask(FITTED, 8, np.array([7]), question)
    assert told.addresses[:2].tolist() == [4, 9]
    assert told.chosen_by == (
        (ChosenBy.REQUIRED,) * 2 + (ChosenBy.AUDIT,) * 2 + (ChosenBy.ACQUISITION,) * 4
    )
    assert "constraints.must_include" in told.reasons[0]
    assert np.isnan(told.inclusion[:2]).all()
    assert len(np.unique(told.addresses)) == 8
    blind = ask(None, 8, question=question)
    assert blind.chosen_by == (ChosenBy.REQUIRED,) * 3 + (ChosenBy.AUDIT,) * 5


@pytest.mark.parametrize(("size", "references"), [(8, 0), (7, 1), (13, 3), (32, 0)])
def test_audit_wells_are_the_exact_share_of_the_batch_with_its_references(size, references):
    named = SPACE.unrank(np.arange(references))
    told = ask(FITTED, size, np.arange(references), replace(QUESTION, references=named))
    wells = told.chosen_by.count(ChosenBy.AUDIT)
    assert wells == round((size + references) * 0.25)
    assert len(told.addresses) == size


def test_the_exploring_share_is_chosen_by_another_acquisition_before_the_rest():
    acquisition = Recording()
    question = replace(QUESTION, explore=0.25, explore_by="random", settings={"its": "own"})
    told = ask(FITTED, 8, question=question, acquisition=acquisition)
    assert told.chosen_by == (ChosenBy.AUDIT,) * 2 + (ChosenBy.ACQUISITION,) * 6
    explored = [reason.startswith("Exploring share: Drawn") for reason in told.reasons]
    assert explored == [False] * 2 + [True] * 2 + [False] * 4
    [request] = acquisition.requests
    assert (request.size, request.settings) == (4, {"its": "own"})
    np.testing.assert_array_equal(request.taken, np.sort(told.addresses[:4]))
    assert len(request.pending) == 4


def test_a_first_batch_that_fills_the_space_still_has_half_by_lot():
    rows = np.random.default_rng(0).normal(size=(9, 3))
    urs = Representations(rows, np.ones(9, np.bool_), np.eye(1), np.zeros((9, 1)))
    question = replace(QUESTION, first=FirstBatch.SPACE_FILLING, representations=urs)
    told = ask(None, 12, question=question)
    assert told.chosen_by == (ChosenBy.AUDIT,) * 6 + (ChosenBy.ACQUISITION,) * 6
    assert all(reason.startswith("No surrogate is trained yet: ") for reason in told.reasons[6:])
    assert len(np.unique(told.addresses)) == 12


BOUND = replace(
    QUESTION,
    limits=Limits(
        max_uses=3,
        uses=np.zeros(9, dtype=np.int64),
        costs=np.arange(1.0, 10.0),
        money=80.0,
        groups=(Group("first", np.arange(9) < 2, 2, 3),),
    ),
)


@pytest.mark.parametrize("surrogate", [None, FITTED])
def test_every_batch_keeps_its_limits_wells_by_lot_included(surrogate):
    question = replace(BOUND, explore=0.25, explore_by="random")
    for seed in range(12):
        told = ask(
            surrogate, 8, question=question, acquisition=plugins.acquisition("random"), seed=seed
        )
        batch = SPACE.unrank(told.addresses)
        assert broken_by(question.limits, batch) is None
        assert told.chosen_by.count(ChosenBy.AUDIT) >= 2


def test_draws_by_lot_that_leave_no_way_to_keep_the_limits_are_set_aside_and_told_of():
    uniform = plugins.acquisition("random")
    once = replace(QUESTION, audit=0.5, limits=replace(FREE, max_uses=1))
    notes = [
        ask(FITTED, 4, question=once, acquisition=uniform, seed=seed).notes for seed in range(12)
    ]
    told = [each for each in notes if each]
    assert 0 < len(told) < 12
    assert all("draws set aside: " in note for each in told for note in each)


def test_audit_wells_are_uniform_among_all_that_keep_the_limits():
    """No perturbagen twice: there are 15 ways to draw two of the 10 pairs of 5."""
    space = VirtualSpace(np.ones(5, dtype=np.int64), 1, (2,), slots=2)
    once = Limits(max_uses=1, uses=np.zeros(5, dtype=np.int64))
    question = replace(QUESTION, space=space, audit=1.0, limits=once)
    counts = np.zeros((10, 10))
    for seed in range(600):
        told = ask(FITTED, 2, question=question, seed=seed)
        counts[tuple(np.sort(told.addresses))] += 1
    members = [set(row) for row in space.unrank(np.arange(10)).components.tolist()]
    allowed = np.array(
        [[i < j and not a & b for j, b in enumerate(members)] for i, a in enumerate(members)]
    )
    assert allowed.sum() == 15
    assert counts[~allowed].sum() == 0
    # The 99.9 % point of chi-squared with 14 degrees of freedom.
    assert ((counts[allowed] - 40) ** 2 / 40).sum() < 36.1


def test_an_acquisition_that_breaks_a_limit_is_refused():
    question = replace(QUESTION, limits=replace(FREE, max_uses=2))
    with pytest.raises(IncompatibleError, match=r"uses a perturbagen \d times, of 2 .* 'auto'"):
        ask(FITTED, 6, question=question)


def test_an_exploring_share_that_the_limits_leave_no_room_for_is_left_out_and_told_of():
    tight = replace(BOUND, limits=replace(BOUND.limits, max_uses=0, money=22.0))
    question = replace(tight, audit=0.0, explore=0.5, explore_by="random")
    told = ask(FITTED, 4, question=question, acquisition=plugins.acquisition("random"))
    assert broken_by(question.limits, SPACE.unrank(told.addresses)) is None
    assert len(told.addresses) == 4


def test_where_no_draw_leaves_a_way_the_audit_share_is_named():
    # No pair is within the money.
    tight = replace(QUESTION, audit=0.5, limits=replace(BOUND.limits, max_uses=1, money=0.0))
    with pytest.raises(NotEnoughCandidatesError, match=r"No 2 audit wells .* lower batch.audit"):
        ask(FITTED, 4, question=tight)


def test_a_first_batch_within_limits_of_a_huge_space_looks_at_a_draw_of_it():
    count = 2_000
    space = VirtualSpace(np.ones(count, dtype=np.int64), 1, (2,), slots=2)
    tight = Limits(
        max_uses=1,
        uses=np.zeros(count, dtype=np.int64),
        costs=np.linspace(1.0, 9.0, count),
        money=290.0,
        groups=(Group("rare", np.arange(count) % 50 == 0, 5, 9),),
    )
    nothing = space.unrank(NONE)
    question = Question(space, Goal.MAXIMIZE, (READOUT,), 0.06, {}, nothing, tight, (2,))
    told = choose(question, Known(None, NONE, nothing), Recording(), 32, np.random.default_rng(0))
    assert broken_by(tight, space.unrank(told.addresses)) is None
    assert len(np.unique(told.addresses)) == 32
    assert any("50,000 candidates" in reason for reason in told.reasons)


def test_before_anything_is_known_a_surrogate_cannot_be_asked():
    with pytest.raises(IncompatibleError, match="Nothing has been measured yet"):
        NothingKnown().believe(NOTHING)


@pytest.mark.parametrize("goal", [Goal.PARETO, Goal.REACH_STATE])
def test_a_front_or_a_state_has_no_best_so_far(goal):
    assert best_so_far(goal, READOUT, np.array([1.0])) is None


def test_the_best_is_in_the_goal_s_direction():
    values = np.array([1.0, -3.0, 2.0])
    assert best_so_far(Goal.MAXIMIZE, READOUT, values) == 2.0
    assert best_so_far(Goal.MINIMIZE, READOUT, values) == -3.0
    assert best_so_far(Goal.FIND_HITS, READOUT, values[:0]) is None
