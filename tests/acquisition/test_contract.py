"""Every acquisition we ship keeps the laws, with members and with a BoTorch model alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from acquisition.auto import Auto
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.expected_improvement import LogExpectedImprovement
from acquisition.rules.greedy import Greedy
from acquisition.rules.max_variance import MaxVariance
from acquisition.rules.uniform import Uniform
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from loop.contracts.acquisition import AcquisitionContract
from loop.domain.goal import Goal
from loop.ports.arrays import IntArray
from loop.ports.engine import Acquisition, BatchRequest
from tests.acquisition.asking import ask
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, LinearModel, ModelOnly
from tests.acquisition.other_words import in_another_order, in_other_units

_NEGATED = {Goal.MAXIMIZE: Goal.MINIMIZE, Goal.MINIMIZE: Goal.MAXIMIZE}


class _Laws(AcquisitionContract):
    make: type[Acquisition]
    goal = Goal.FIND_HITS
    indifferent: ClassVar[tuple[Mapping[str, str | int | float | bool], ...]] = (
        {"shard": 1},
        {"shard": 7},
        {"shard": 50},
    )

    @pytest.fixture
    def acquisition(self) -> Acquisition:
        return self.make()

    @pytest.fixture(params=["members", "ensemble model", "gaussian model"])
    def sides(self, request: pytest.FixtureRequest) -> tuple[BatchRequest, BatchRequest]:
        """The question, and the same of the negated world."""
        asked = ask(self.goal)
        mirrored = ask(_NEGATED.get(self.goal, self.goal), sign=-1.0)
        if request.param == "members":
            return asked, mirrored
        if request.param == "ensemble model":
            models = [LinearDraws(sign=sign).model() for sign in (1.0, -1.0)]
        else:
            models = [gaussian_process(sign) for sign in (1.0, -1.0)]
        return (
            replace(asked, surrogate=ModelOnly(models[0])),
            replace(mirrored, surrogate=ModelOnly(models[1])),
        )

    @pytest.fixture
    def asked(self, sides: tuple[BatchRequest, BatchRequest]) -> BatchRequest:
        return sides[0]

    @pytest.fixture
    def mirrored(self, sides: tuple[BatchRequest, BatchRequest]) -> BatchRequest | None:
        return sides[1]

    @pytest.fixture
    def rescaled(self, asked: BatchRequest) -> BatchRequest | None:
        # A model that knows no noise leaves ties, which the rounding of a shift would decide.
        noiseless = isinstance(asked.surrogate.model(), LinearModel) and isinstance(
            asked.surrogate, ModelOnly
        )
        return in_other_units(asked, 4.0, 0.0 if noiseless else -3.0)

    @pytest.fixture
    def permuted(self, asked: BatchRequest) -> tuple[BatchRequest, IntArray] | None:
        return in_another_order(asked, np.array([1, 0, 5, 8, 2, 7, 3, 6, 4]))


class TestAuto(_Laws):
    make = Auto


class TestAutoForExtremes(_Laws):
    make = Auto
    goal = Goal.MINIMIZE


class TestExpectedHits(_Laws):
    make = ExpectedHits


class TestGreedy(_Laws):
    make = Greedy


class TestGreedyForExtremes(_Laws):
    make = Greedy
    goal = Goal.MAXIMIZE


class TestLogExpectedImprovement(_Laws):
    make = LogExpectedImprovement
    goal = Goal.MAXIMIZE


class TestMaxVariance(_Laws):
    make = MaxVariance
    goal = Goal.LEARN_MAP


class TestUniform(_Laws):
    make = Uniform
    indifferent = ()

    @pytest.fixture
    def permuted(self) -> None:
        """Chance decides everything."""


class TestUpperConfidenceBound(_Laws):
    make = UpperConfidenceBound


class TestUpperConfidenceBoundForExtremes(_Laws):
    make = UpperConfidenceBound
    goal = Goal.MAXIMIZE
