import numpy as np
import pytest

from loop.ports.arrays import Combinations, TrainingSet
from surrogate.row_weights import row_weights, shrinkage


def replicated(sd, wells=4, seed=0):
    """Rows whose replicates scatter about 0 by `sd`, shape (n,)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(sd), wells)) * sd[:, None]
    n = len(sd)
    return TrainingSet(
        Combinations(np.zeros((n, 1), int), np.zeros((n, 1), int), np.zeros(n, int)),
        values.mean(axis=1)[:, None],
        np.full((n, 1), wells),
        values.std(axis=1, ddof=1)[:, None],
        np.arange(n, dtype=np.uint64),
        np.zeros(n, bool),
    )


def test_the_prior_of_variances_is_found_again():
    rng = np.random.default_rng(0)
    true_freedom, usual = 6.0, 0.5
    variances = usual * true_freedom / rng.chisquare(true_freedom, 20_000)
    seen = variances * rng.chisquare(3, 20_000) / 3

    freedom, location = shrinkage(seen, np.full(20_000, 3.0))

    assert freedom == pytest.approx(true_freedom, rel=0.1)
    assert location == pytest.approx(usual, rel=0.05)


def test_rows_that_are_equally_noisy_count_by_their_replicates():
    rng = np.random.default_rng(1)
    spread = np.sqrt(rng.chisquare(3, 500) / 3)
    freedom, _ = shrinkage(spread**2, np.full(500, 3.0))
    training = replicated(np.ones(500))

    weights = row_weights(training)

    assert freedom > 20
    assert np.abs(weights / 4 - 1).mean() < 0.2


def test_noisy_rows_count_less_and_the_weighted_mean_is_nearer():
    rng = np.random.default_rng(2)
    sd = np.where(rng.random(400) < 0.3, 3.0, 0.5)
    errors = []
    for seed in range(50):
        training = replicated(sd, seed=seed)
        weights = row_weights(training)[:, 0]
        mean = training.values[:, 0]
        errors.append((np.average(mean, weights=weights), mean.mean()))

    assert weights[sd > 1].mean() < 0.4 * weights[sd < 1].mean()
    weighted, plain = np.sqrt(np.mean(np.square(errors), axis=0))
    assert weighted < 0.8 * plain


def test_few_replicates_say_nothing_and_missing_values_weigh_nothing():
    training = replicated(np.geomspace(0.1, 10, 100), wells=2)
    training.values[3] = np.nan
    few = replicated(np.geomspace(0.1, 10, 20))

    weights = row_weights(training)[:, 0]

    assert weights[3] == 0
    assert set(np.delete(weights, 3)) == {2.0}
    assert set(row_weights(few)[:, 0]) == {4.0}
