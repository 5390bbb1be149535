"""Where choosing one after another finds no end, choices are made together."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from loop.choose import Known, Question, choose
from loop.constraints import broken_by
from loop.domain.batch import ChosenBy
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Goal, Readout
from loop.ports.engine import Chosen, Group, Limits
from loop.space import VirtualSpace

PERTURBAGENS = 6
SPACE = VirtualSpace(np.ones(PERTURBAGENS, dtype=np.int64), 1, (2,), slots=2)
NOTHING = SPACE.unrank(np.zeros(0, dtype=np.int64))
TIGHT = Limits(
    max_uses=2,
    uses=np.zeros(PERTURBAGENS, dtype=np.int64),
    costs=np.array([1.0, 1.0, 2.0, 3.0, 5.0, 9.0]),
    money=16.0,
    groups=(Group("late", np.arange(PERTURBAGENS) >= 3, 2, 3),),
)
QUESTION = Question(SPACE, Goal.MAXIMIZE, (Readout("gi"),), 0.0, {}, NOTHING, TIGHT, (2,))


class Hasty:
    """An acquisition that rates dear pairs highest, and finds no end under any limit."""

    def choose(self, request, rng, progress=None):
        if request.limits.groups or request.limits.max_uses:
            raise NotEnoughCandidatesError("It found no end.")
        every = request.space.unrank(np.arange(len(request.space)))
        dearest = np.argsort(-TIGHT.costs[every.components].sum(axis=1), kind="stable")
        chosen = dearest[: request.size]
        ranks = np.arange(1, len(chosen) + 1)
        return Chosen(chosen, -ranks.astype(float), ("Dear.",) * len(chosen), ranks)


def ask(size, question=QUESTION, seed=0):
    known = Known(object(), np.zeros(0, dtype=np.int64), NOTHING)
    return choose(question, known, Hasty(), size, np.random.default_rng(seed))


def worth(batch):
    """The places of a batch's pairs among all, from the cheapest."""
    every = SPACE.unrank(np.arange(len(SPACE)))
    dearest = np.argsort(-TIGHT.costs[every.components].sum(axis=1), kind="stable")
    place = np.empty(len(SPACE))
    place[dearest] = 1.0 - np.arange(len(SPACE)) / (len(SPACE) + 1)
    return place[np.asarray(batch)].sum()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_best_rated_that_keep_all_limits_together_are_chosen(size):
    told = ask(size)
    possible = [
        batch
        for batch in combinations(range(len(SPACE)), size)
        if broken_by(TIGHT, SPACE.unrank(np.array(batch))) is None
    ]
    assert tuple(sorted(told.addresses)) in possible
    assert worth(told.addresses) >= 0.98 * max(map(worth, possible))
    assert told.chosen_by == (ChosenBy.ACQUISITION,) * size
    assert set(told.reasons) == {"Dear."}
    assert (np.diff(told.ranks) > 0).all()
    assert any("so tight" in note for note in told.notes)


def test_audit_wells_that_leave_no_way_are_drawn_again():
    question = replace(QUESTION, audit=0.5)
    for seed in range(10):
        told = ask(4, question, seed)
        assert told.chosen_by.count(ChosenBy.AUDIT) == 2
        assert broken_by(TIGHT, SPACE.unrank(told.addresses)) is None


def test_where_nothing_keeps_the_limits_the_acquisition_s_own_words_are_told():
    apart = replace(TIGHT, money=200.0, max_uses=1, groups=(TIGHT.groups[0],))
    pair_free = VirtualSpace(
        np.ones(PERTURBAGENS, dtype=np.int64),
        1,
        (2,),
        [pair for pair in combinations(range(PERTURBAGENS), 2) if 0 not in pair],
        slots=2,
    )
    question = replace(QUESTION, space=pair_free, limits=apart)
    with pytest.raises(NotEnoughCandidatesError, match="It found no end"):
        ask(2, question)


def test_without_limits_a_refusal_is_passed_on():
    class Empty:
        def choose(self, request, rng, progress=None):
            raise NotEnoughCandidatesError("It has none.")

    known = Known(object(), np.zeros(0, dtype=np.int64), NOTHING)
    free = replace(QUESTION, limits=Limits(uses=TIGHT.uses))
    with pytest.raises(NotEnoughCandidatesError, match="It has none"):
        choose(free, known, Empty(), 2, np.random.default_rng(0))
