"""What the default surrogate promises beyond the contract of all surrogates."""

import numpy as np
import pytest

from loop.ports.arrays import Combinations, Representations, TrainingSet
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.ensemble import Ensemble

PERTURBAGENS, COLUMNS = 30, 6


def screen(count, readouts=1, noise=0.3, seed=0):
    """Pairs whose effects follow URs, in readouts of different units; the truth comes last."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(PERTURBAGENS, COLUMNS))
    every = np.stack(np.triu_indices(PERTURBAGENS, 1), axis=1)
    pairs = every[rng.choice(len(every), count, replace=False)]
    effects = features @ rng.normal(size=(COLUMNS, readouts)) / COLUMNS**0.5
    truth = effects[pairs].sum(axis=1)
    training = TrainingSet(
        Combinations(pairs, np.zeros_like(pairs), np.zeros(count, dtype=np.int64)),
        truth + noise * rng.normal(size=truth.shape),
        np.ones((count, readouts), dtype=np.int64),
        np.full((count, readouts), np.nan),
        rng.integers(2**63, size=count).astype(np.uint64),
        np.zeros(count, dtype=bool),
    )
    representations = Representations(
        features,
        np.ones(PERTURBAGENS, dtype=bool),
        np.ones((1, 1)),
        np.zeros((PERTURBAGENS, 1)),
    )
    return representations, training, truth


def fitted(representations, training, **settings):
    asked = {"members": 8, "steps": 60, **settings}
    readouts = training.values.shape[1]
    ensemble = Ensemble(SurrogateProblem(representations, 2, readouts, asked, Compute(threads=1)))
    ensemble.fit(training, np.random.default_rng(1))
    return ensemble


def test_of_two_readouts_one_may_miss_half_of_the_rows():
    representations, training, truth = screen(300, readouts=2)
    unit = np.array([1.0, 50.0])
    training.values[:] = training.values * unit + np.array([0.0, 200.0])
    truth = truth * unit + np.array([0.0, 200.0])
    measured = training.values.copy()
    training.values[::2, 1] = np.nan
    training.replicates[::2, 1] = 0

    # With 24 members hardly a row is without two that did not see it.
    folded = fitted(representations, training, members=24, steps=120).out_of_fold()

    halves = np.arange(300) % 2
    for readout, rows in ((0, halves >= 0), (1, halves == 1), (1, halves == 0)):
        left = (folded.mean - truth)[rows, readout]
        assert np.mean(left**2) < 0.25 * truth[rows, readout].var()
        apart = np.abs(measured - folded.mean)[rows, readout]
        assert 0.8 < np.mean(apart < 1.645 * folded.sd[rows, readout]) < 0.99
    assert folded.aleatoric_sd[0, 0] == pytest.approx(0.3, rel=0.4)
    assert folded.aleatoric_sd[0, 1] == pytest.approx(15.0, rel=0.4)


def test_missing_values_of_one_readout_hardly_touch_the_other():
    representations, training, truth = screen(300, readouts=2)
    whole = fitted(representations, training).out_of_fold().mean[:, 0]
    training.values[::2, 1] = np.nan
    part = fitted(representations, training).out_of_fold().mean[:, 0]

    assert np.sqrt(np.mean((part - whole) ** 2)) < 0.3 * truth[:, 0].std()


def error(tails, outliers, seed):
    representations, training, truth = screen(250, seed=seed)
    rng = np.random.default_rng(100 + seed)
    wild = rng.random(250) < outliers
    training.values[wild] += 8 * rng.choice([-1.0, 1.0], size=(wild.sum(), 1))
    belief = fitted(representations, training, tails=tails, steps=120).believe(
        training.combinations
    )
    return float(np.sqrt(np.mean((belief.mean - truth) ** 2)))


@pytest.mark.slow
def test_heavy_tails_help_where_there_are_outliers_and_do_no_harm_where_there_are_none():
    seeds = range(2)
    with_outliers = [np.mean([error(tails, 0.05, seed) for seed in seeds]) for tails in (0, 4)]
    without = [np.mean([error(tails, 0.0, seed) for seed in seeds]) for tails in (0, 4)]

    assert with_outliers[1] < 0.85 * with_outliers[0]
    assert without[1] < 1.1 * without[0]
