import numpy as np
import pytest

from loop.contracts.surrogate import every_kind, observations, problem
from loop.domain.errors import InvalidError
from surrogate.committee import SEATS, Committee


@pytest.fixture(scope="module")
def sitting():
    committee = Committee(problem())
    committee.fit(observations(40), np.random.default_rng(0))
    return committee


def test_the_mean_is_the_members_means_by_weight(sitting):
    entitled = [seat for seat in SEATS if 40 in seat.observations]
    means = {}
    for seat, stream in zip(entitled, np.random.default_rng(0).spawn(len(entitled)), strict=True):
        alone = seat.make(problem())
        alone.fit(observations(40), stream)
        means[seat.name] = alone.believe(every_kind()).mean

    mean = sitting.believe(every_kind()).mean

    weights = sitting.weights
    expected = sum(weights[name] * means[name] for name in means)
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)
    assert sum(weights.values()) == pytest.approx(1.0)


def test_others_sit_on_it_when_there_is_much():
    few, many = ({s.name for s in SEATS if n in s.observations} for n in (2_000, 2_001))

    assert few - many == {"gaussian-process", "additive-low-rank"}
    assert many - few == {"sparse-gaussian-process", "ensemble"}


def test_draws_have_the_mean_and_about_the_spread_of_the_belief(sitting):
    belief, draws = sitting.believe(every_kind()), sitting.member_means(every_kind())

    assert draws.shape[0] == 64
    spread = draws.std(dim=0).numpy()
    ratio = spread / belief.epistemic_sd
    assert 0.5 < np.median(ratio) < 1.5
    np.testing.assert_allclose(draws.mean(dim=0), belief.mean, atol=1e-4)


def test_it_warm_starts_and_its_weights_come_back(sitting):
    again = Committee(problem())
    again.restore(sitting.state())

    assert again.weights == sitting.weights
    again.fit(observations(44), np.random.default_rng(1))
    assert set(again.weights) == set(sitting.weights)


def test_settings_reach_those_who_know_them_and_nobody_else():
    Committee(problem(members=4, draws=8, doubt=2.0))

    with pytest.raises(InvalidError, match="no such setting"):
        Committee(problem(membres=4))
    with pytest.raises(InvalidError, match="members"):
        Committee(problem(members=0))


def test_the_second_half_of_the_draws_mirrors_the_first_where_everyones_does(sitting):
    heard = Committee(problem())
    heard.restore(sitting.state())
    heard._weights = np.array([0.5 * (name != "additive-low-rank") for name in heard.weights])

    first, second = heard.member_means(every_kind()).chunk(2)

    # Each surrogate's draws lie about its own mean.
    for process_or_linear in (first + second).chunk(2):
        middle = process_or_linear.mean(dim=0).expand_as(process_or_linear)
        np.testing.assert_allclose(process_or_linear, middle, atol=1e-4)
