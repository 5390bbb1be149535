import numpy as np
import pytest
from scipy import stats

from loop.calibration import tailed_nll
from loop.scores import far_out, nll, replicate_sd, rmse, share, spearman

NONE = np.zeros(0)


def test_of_nothing_there_is_no_score():
    assert rmse(NONE, NONE) is None
    assert far_out(NONE, NONE, NONE) is None
    assert replicate_sd(NONE.astype(int), NONE) is None
    assert nll(NONE, NONE, NONE) is None
    assert spearman(NONE, NONE) is None
    assert share(np.zeros(0, dtype=np.bool_)) is None


def test_scores_agree_with_their_definitions():
    rng = np.random.default_rng(1)
    values, mean, sd = rng.normal(size=30), rng.normal(size=30), rng.uniform(0.5, 2, 30)
    assert rmse(values, mean) == pytest.approx(np.sqrt(((values - mean) ** 2).mean()))
    assert nll(values, mean, sd) == pytest.approx(tailed_nll(values, mean, sd).mean())
    assert spearman(values, mean) == pytest.approx(stats.spearmanr(values, mean).statistic)
    assert share(values > 0) == (values > 0).mean()


def test_ranks_cannot_be_compared_without_spread_or_with_two_values():
    assert spearman(np.ones(5), np.arange(5.0)) is None
    assert spearman(np.arange(5.0), np.ones(5)) is None
    assert spearman(np.arange(2.0), np.arange(2.0)) is None
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([3.0, 4.0, 5.0])) == pytest.approx(
        0.866, abs=1e-3
    )


def test_far_out_are_those_beyond_three_sds():
    assert far_out(np.array([3.0, -3.1, 9.0, 0.0]), np.zeros(4), np.ones(4)) == 0.5


def test_replicates_are_pooled_by_their_degrees_of_freedom():
    replicates, spread = np.array([9, 3, 1]), np.array([2.0, 1.0, np.nan])
    assert replicate_sd(replicates, spread) == pytest.approx(np.sqrt((8 * 4 + 2 * 1) / 10))
    assert replicate_sd(replicates - 1, spread) is None
