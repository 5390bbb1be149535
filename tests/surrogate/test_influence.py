"""Which wells moved a prediction: exactly for a process, about right for an ensemble."""

from dataclasses import replace

import numpy as np
import pytest

import surrogate.influence
from loop.contracts.surrogate import every_kind, observations, problem
from surrogate.committee import Committee, TellsMoves
from surrogate.ensemble import Ensemble
from surrogate.gaussian_process import GaussianProcess


def fitted(kind, training, **settings):
    made = kind(problem(**settings))
    made.fit(training, np.random.default_rng(0))
    return made


@pytest.fixture(scope="module")
def training():
    return observations(40, missing=0.2)


@pytest.fixture(scope="module")
def process(training):
    return fitted(GaussianProcess, training)


@pytest.fixture(scope="module")
def ensemble(training):
    return fitted(Ensemble, training)


def test_a_process_is_moved_from_the_prior_mean_to_its_mean_exactly(process, training):
    moves = process.moved_by(every_kind(), training)
    mean = process.believe(every_kind()).mean[:, 0]
    prior = np.nanmean(training.values[:, 0])

    assert process.moved_exactly
    assert moves.shape == (len(every_kind()), len(training))
    # What is believed is computed in float32, the moves are not.
    np.testing.assert_allclose(prior + moves.sum(axis=1), mean, atol=1e-4)


def test_a_row_without_a_value_moves_nothing(process, ensemble, training):
    empty = ~np.isfinite(training.values[:, 0])
    assert empty.any()
    for each in (process, ensemble):
        moves = each.moved_by(every_kind(), training)
        assert (moves[:, empty] == 0).all()
        assert (moves[:, ~empty] != 0).any(axis=0).mean() > 0.9


def test_a_restored_surrogate_tells_the_same(process, ensemble, training):
    for each in (process, ensemble):
        again = type(each)(problem())
        again.restore(each.state())
        np.testing.assert_allclose(
            again.moved_by(every_kind(), training), each.moved_by(every_kind(), training), atol=1e-9
        )


def test_in_other_units_the_moves_are_in_those_units(process, training):
    scaled = replace(training, values=1000 * training.values + 5e4)
    moves = fitted(GaussianProcess, scaled).moved_by(every_kind(), scaled)
    np.testing.assert_allclose(
        moves, 1000 * process.moved_by(every_kind(), training), rtol=1e-6, atol=1e-6
    )


def test_a_well_moves_its_own_perturbation_its_own_way(process, ensemble, training):
    for each in (process, ensemble):
        own = np.diag(each.moved_by(training.combinations, training))
        there = np.isfinite(training.values[:, 0])
        from_mean = training.values[there, 0] - training.values[there, 0].mean()
        assert (own[there] * from_mean >= 0).all()


def test_an_ensemble_is_moved_about_as_its_stand_in_says(ensemble, training):
    """The stand-in is no more than an approximation, but a useful one."""
    asked = observations(45).combinations
    about = ensemble.moved_by(asked, training).sum(axis=1)
    mean = ensemble.believe(asked).mean[:, 0]

    assert not ensemble.moved_exactly
    assert np.corrcoef(about, mean)[0, 1] > 0.7


def test_past_its_limit_the_stand_in_takes_what_is_most_alike(ensemble, training, monkeypatch):
    whole = ensemble.moved_by(training.combinations[np.array([3])], training)
    monkeypatch.setattr(surrogate.influence, "LARGEST", 10)
    part = ensemble.moved_by(training.combinations[np.array([3])], training)

    assert (part != 0).sum() == 10
    assert part[0, 3] != 0
    assert np.argmax(np.abs(part)) in np.argsort(-np.abs(whole[0]))[:3]


def test_a_committee_tells_the_moves_of_those_who_can_tell(training):
    committee = fitted(Committee, training)
    moves = committee.moved_by(every_kind(), training)
    (teller,) = [each for each in committee._sitting.values() if isinstance(each, TellsMoves)]

    np.testing.assert_allclose(moves, teller.moved_by(every_kind(), training))
    assert not committee.moved_exactly
