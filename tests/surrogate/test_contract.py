"""Every surrogate keeps the contract."""

import pytest

from loop.contracts.surrogate import SurrogateContract
from surrogate.ensemble import Ensemble
from surrogate.gaussian_process import GaussianProcess
from surrogate.random_belief import RandomBelief


class TestEnsemble(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return Ensemble


class TestGaussianProcess(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return GaussianProcess


class TestRandomBelief(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return RandomBelief
