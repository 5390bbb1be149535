"""Every surrogate keeps the contract."""

import pytest

from loop.contracts.surrogate import SurrogateContract
from surrogate.additive_low_rank import AdditiveLowRank
from surrogate.committee import Committee
from surrogate.deep_kernel import DeepKernel
from surrogate.ensemble import Ensemble
from surrogate.extra_trees import ExtraTrees
from surrogate.gaussian_process import GaussianProcess
from surrogate.linear import Linear
from surrogate.random_belief import RandomBelief
from surrogate.sparse_gaussian_process import SparseGaussianProcess
from surrogate.two_hot_process import TwoHotGaussianProcess


class TestEnsemble(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return Ensemble


class TestGaussianProcess(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return GaussianProcess


class TestTwoHotGaussianProcess(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return TwoHotGaussianProcess


class TestSparseGaussianProcess(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return SparseGaussianProcess


class TestLinear(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return Linear


class TestAdditiveLowRank(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return AdditiveLowRank


class TestDeepKernel(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return DeepKernel


class TestExtraTrees(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return ExtraTrees


class TestRandomBelief(SurrogateContract):
    tells_apart = False

    @pytest.fixture
    def factory(self):
        return RandomBelief


class TestCommittee(SurrogateContract):
    @pytest.fixture
    def factory(self):
        return Committee
