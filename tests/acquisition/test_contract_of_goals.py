"""The laws of every acquisition, kept by those for maps, states, fronts, tails and mixtures."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from acquisition.rules.epig import Epig
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.integrated_variance import IntegratedVariance
from acquisition.rules.mixture import Mixture
from acquisition.rules.pareto import Pareto
from acquisition.rules.reach_state import ReachState
from acquisition.rules.space_filling import SpaceFilling
from acquisition.rules.thompson import Thompson
from loop.domain.goal import Goal
from loop.ports.engine import BatchRequest
from tests.acquisition.linear_draws import ModelOnly
from tests.acquisition.several_readouts import SeveralReadouts, two_processes
from tests.acquisition.test_contract import _Laws
from tests.acquisition.test_pareto import front_question
from tests.acquisition.test_reach_state import state_question
from tests.acquisition.test_space_filling import representations

Settings = Mapping[str, str | int | float | bool]


class _Own(_Laws):
    """The same question with settings of its own."""

    own: ClassVar[Settings] = {}

    @pytest.fixture
    def asked(self, sides: tuple[BatchRequest, BatchRequest]) -> BatchRequest:
        return replace(sides[0], settings=self.own)

    @pytest.fixture
    def mirrored(self, sides: tuple[BatchRequest, BatchRequest]) -> BatchRequest | None:
        return replace(sides[1], settings=self.own)


class TestThompson(_Laws):
    make = Thompson


class TestThompsonForExtremes(_Laws):
    make = Thompson
    goal = Goal.MAXIMIZE


class TestEpig(_Laws):
    make = Epig
    goal = Goal.LEARN_MAP


class TestEpigBesideAnotherGoal(_Laws):
    make = Epig
    goal = Goal.MINIMIZE


class TestIntegratedVariance(_Laws):
    make = IntegratedVariance
    goal = Goal.LEARN_MAP


class TestBalancedHits(_Own):
    make = ExpectedHits
    own: ClassVar[Settings] = {"balance": 1.0}
    indifferent = ({**own, "shard": 1}, {**own, "shard": 7})


class TestMixture(_Own):
    make = Mixture
    own: ClassVar[Settings] = {"expected-hits": 0.5, "epig": 0.25, "max-variance": 0.25}
    indifferent = ({**own, "expected-hits.shard": 3, "epig.shard": 7},)


class TestMixtureForExtremes(_Own):
    make = Mixture
    goal = Goal.MINIMIZE
    own: ClassVar[Settings] = {"thompson": 0.5, "upper-confidence-bound": 0.5}
    indifferent = ({**own, "thompson.shard": 3},)


class TestSpaceFilling(_Own):
    make = SpaceFilling
    indifferent = ({"pool": 72}, {"pool": 1_000_000})

    @pytest.fixture
    def sides(self) -> tuple[BatchRequest, BatchRequest]:
        asked = state_question(representations=representations(), surrogate=None)
        return asked, asked

    @pytest.fixture
    def rescaled(self) -> None:
        """No readout is looked at."""


class _SeveralReadouts(_Laws):
    @pytest.fixture(params=["members", "ensemble model", "gaussian model"])
    def surrogates(self, request: pytest.FixtureRequest) -> tuple[object, object]:
        """One of two readouts, and the same negated."""
        members = [SeveralReadouts([sign, sign]) for sign in (1.0, -1.0)]
        if request.param == "members":
            return members[0], members[1]
        if request.param == "ensemble model":
            return ModelOnly(members[0].model()), ModelOnly(members[1].model())
        processes = [two_processes([sign, sign]) for sign in (1.0, -1.0)]
        return ModelOnly(processes[0]), ModelOnly(processes[1])


class TestPareto(_SeveralReadouts):
    make = Pareto

    @pytest.fixture
    def sides(self, surrogates: tuple[object, object]) -> tuple[BatchRequest, BatchRequest]:
        return (
            front_question((1.0, 1.0), "up down", surrogate=surrogates[0], settings={}),
            front_question((-1.0, -1.0), "down up", surrogate=surrogates[1], settings={}),
        )


class TestReachState(_SeveralReadouts):
    make = ReachState

    @pytest.fixture
    def sides(self, surrogates: tuple[object, object]) -> tuple[BatchRequest, BatchRequest]:
        return (
            state_question((1.0, 1.0), surrogate=surrogates[0]),
            state_question((-1.0, -1.0), surrogate=surrogates[1]),
        )
