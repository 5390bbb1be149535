import math
from dataclasses import replace

import pytest
from scipy import stats

from loop.contracts.nouns import a_batch
from loop.domain.batch import Choice, ChosenBy, PredictedReadout
from loop.domain.goal import Readout
from loop.domain.observation import Observation
from loop.domain.perturbation import Perturbation
from loop.observe import Observed
from loop.rounds import round_scores

GI = Readout("gi", low=-1.0, high=1.0)


def choice(key, mean=None, by=ChosenBy.ACQUISITION):
    belief = {} if mean is None else {"gi": PredictedReadout(mean, 0.3, 0.4, mean - 1, mean + 1)}
    return Choice(Perturbation.parse(key), by, None, "", belief)


def observed(**values):
    return Observed(
        {
            f"{name}|c": {"gi": Observation(Perturbation.parse(f"{name}|c"), "gi", value, None, 1)}
            for name, value in values.items()
        },
        {},
        (),
    )


def batch(*choices):
    return replace(a_batch(), choices=choices)


def test_the_belief_about_a_mean_has_less_noise_and_the_same_doubt():
    told = PredictedReadout(1.0, 0.3, 0.4, 0.0, 2.0).of_mean(4)
    assert (told.mean, told.epistemic_sd, told.aleatoric_sd) == (1.0, 0.3, 0.2)
    half = math.hypot(0.3, 0.2) / 0.5
    assert (told.low, told.high) == pytest.approx((1 - half, 1 + half))


def test_reference_designs_do_not_count():
    told = round_scores(
        batch(choice("A|c", 0.0), choice("B|c", 9.0, ChosenBy.REFERENCE)),
        observed(A=0.5, B=1.5),
        GI,
    )
    assert (told.measured, told.rmse) == (1, 0.5)


def test_a_round_is_scored_by_hand():
    told = round_scores(
        batch(
            choice("A|c", 0.0),
            choice("B|c", 1.0, ChosenBy.AUDIT),
            choice("C|c", 2.0, ChosenBy.AUDIT),
            choice("D|c", 9.0),
        ),
        observed(A=0.5, B=1.5, C=5.0),
        GI,
    )
    assert (told.measured, told.hits, told.hit_rate) == (3, 2, pytest.approx(2 / 3))
    assert told.rmse == pytest.approx(math.sqrt((0.25 + 0.25 + 9.0) / 3))
    sd = 0.5
    believed = stats.t(4, 0, 0.8310034937777917 * sd)
    assert told.nll == pytest.approx(-sum(believed.logpdf(e) for e in (0.5, 0.5, 3)) / 3)
    assert told.spearman == pytest.approx(1.0)
    assert told.coverage90 == pytest.approx(2 / 3)
    assert told.audit_rmse == pytest.approx(math.sqrt((0.25 + 9.0) / 2))
    assert told.audit_coverage90 == 0.5
    assert told.selected_coverage90 == 1.0


def test_without_beliefs_hits_are_counted_and_nothing_else():
    told = round_scores(batch(choice("A|c"), choice("B|c")), observed(A=2.0, B=0.0), GI)
    assert (told.measured, told.hits, told.hit_rate) == (2, 1, 0.5)
    assert {told.rmse, told.nll, told.spearman, told.coverage90} == {None}
    assert {told.audit_rmse, told.audit_coverage90, told.selected_coverage90} == {None}


def test_of_nothing_measured_there_is_no_score():
    told = round_scores(batch(choice("A|c", 0.0)), observed(), GI)
    assert (told.measured, told.hits, told.hit_rate, told.rmse) == (0, 0, None, None)


def test_without_threshold_there_are_no_hits():
    told = round_scores(batch(choice("A|c", 0.0)), observed(A=2.0), Readout("gi"))
    assert (told.hits, told.hit_rate) == (None, None)


def test_without_audit_wells_their_scores_are_none():
    told = round_scores(batch(choice("A|c", 0.0)), observed(A=0.5), GI)
    assert (told.rmse, told.audit_rmse, told.audit_coverage90) == (0.5, None, None)
