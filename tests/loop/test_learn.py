from dataclasses import replace

import numpy as np
import pytest

from loop.calibration import NORMAL_QUANTILE, Calibration, tailed_scale
from loop.domain.errors import NothingMeasuredError
from loop.learn import (
    FORETOLD_KEPT,
    ForetoldWells,
    judge,
    judges,
    learn,
    learn_round,
    packed,
    unpacked,
)
from loop.ports.arrays import Belief, SurrogateState
from tests.loop.learning import Oracle, learned, training

RNG = np.random.default_rng


def truth(n, seed=0):
    return RNG(seed).normal(size=n)


def believed(values, error, seed=1):
    """Means that miss the values by a normal error."""
    return values + error * RNG(seed).normal(size=len(values))


def test_the_first_surrogate_is_adopted():
    values = truth(40)
    verdict = judge(learned(believed(values, 1.0)), None, training(values))
    assert verdict.adopt
    assert "the first surrogate" in verdict.sentence
    assert verdict.scores["audit_wells"] == 40


def test_a_challenger_that_predicts_better_is_adopted():
    values = truth(60)
    champion = learned(believed(values, 1.0, 1), 1.0)
    challenger = learned(believed(values, 0.4, 2), 0.4)
    verdict = judge(challenger, champion, training(values))
    assert verdict.adopt
    assert "better than the champion" in verdict.sentence
    assert verdict.scores["nll_minus_champion"] < -0.5


def test_a_challenger_that_predicts_clearly_worse_is_declined():
    values = truth(60)
    champion = learned(believed(values, 0.4, 1), 0.4)
    challenger = learned(believed(values, 1.0, 2), 1.0)
    verdict = judge(challenger, champion, training(values))
    assert not verdict.adopt
    assert "worse than the champion" in verdict.sentence
    assert verdict.scores["nll_minus_champion"] > 0.5


def test_a_challenger_that_is_worse_within_noise_is_adopted():
    values = truth(60)
    champion = learned(believed(values, 1.0, 1))
    challenger = learned(believed(values, 1.02, 2))
    verdict = judge(challenger, champion, training(values))
    assert verdict.adopt


def test_equal_surrogates_differ_by_nothing_and_the_newer_one_stays():
    values = truth(30)
    both = learned(believed(values, 1.0))
    verdict = judge(both, both, training(values))
    assert verdict.adopt
    assert verdict.scores["nll_minus_champion"] == 0.0


def test_confidence_without_knowledge_is_declined():
    values = truth(60)
    champion = learned(np.zeros(60), 1.0)
    challenger = learned(believed(values, 1.0), 0.1)
    assert not judge(challenger, champion, training(values)).adopt


def test_intervals_that_cover_too_little_are_declined_unless_there_is_no_champion():
    # Ratios grow with the row's rest by 5, so every fold is calibrated on smaller ones.
    values = np.concatenate([np.full(200, 0.1), np.full(100, 50.0)])
    order = np.argsort(np.arange(300) % 5, kind="stable")
    scrambled = np.empty(300)
    scrambled[order] = np.sort(values * np.linspace(1, 2, 300))
    alone = judge(learned(np.zeros(300)), None, training(scrambled))
    rivals = judge(learned(np.zeros(300)), learned(np.zeros(300)), training(scrambled))
    assert alone.adopt
    assert "beware, its 90 % intervals cover" in alone.sentence
    assert not rivals.adopt
    assert "intervals cover" in rivals.sentence


def test_with_fewer_than_8_audit_wells_newer_data_wins():
    values = truth(60)
    audit = np.arange(60) < 7
    champion, challenger = learned(values), learned(values + 5)
    verdict = judge(challenger, champion, training(values, audit))
    assert verdict.adopt
    assert "7 audit wells are too few" in verdict.sentence
    assert not judge(challenger, champion, training(values, np.arange(60) < 8)).adopt


def test_only_audit_wells_judge():
    values = truth(60)
    audit = np.arange(60) < 20
    right_on_audit = np.where(audit, values, values + 9)
    wrong_on_audit = np.where(audit, values + 9, values)
    told = training(values, audit)
    assert judge(learned(right_on_audit), learned(wrong_on_audit), told).adopt
    assert not judge(learned(wrong_on_audit), learned(right_on_audit), told).adopt


def test_wells_without_a_value_do_not_judge():
    values = np.where(np.arange(40) < 20, np.nan, truth(40))
    verdict = judge(learned(np.nan_to_num(values)), None, training(values))
    assert verdict.scores["audit_wells"] == 20
    assert verdict.scores["rmse"] == 0.0


def test_what_a_surrogate_has_learned_from_it_predicts_out_of_fold():
    told = training([1.0, 2.0, 3.0, 4.0], first=10)
    # It has seen identities 12 and 11, in this order, and remembers them perfectly.
    knows = learned([1.0, 2.0, 3.0, 4.0], seen=[12, 11], folded=[-3.0, -2.0])
    honest = knows.believe_honestly(told)
    np.testing.assert_array_equal(honest.mean[:, 0], [1.0, -2.0, -3.0, 4.0])


def test_a_champion_that_merely_remembers_does_not_win():
    values = truth(60)
    told = training(values)
    remembers = learned(values, 0.5, seen=told.identities, folded=values + 3)
    assert judge(learned(believed(values, 0.5), 0.5), remembers, told).adopt


def test_learning_calibrates_out_of_fold_on_audit_wells():
    values = truth(100)
    audit = np.arange(100) < 40
    surrogate = Oracle(np.zeros(100), sd=0.5)
    told = learn(surrogate, training(values, audit), RNG(0))
    assert told.calibrations[0].wells == 40
    assert told.calibrations[0].temperature == pytest.approx(tailed_scale(values[:40] / 0.5))
    low, high = told.interval(surrogate.out_of_fold())
    # ceil(41 x 0.9) = 37 of the 40 audit wells lie inside or on the edge.
    np.testing.assert_allclose(high, np.sort(np.abs(values[:40]))[36])
    np.testing.assert_allclose(low, -high)


def test_while_audit_wells_are_too_few_all_wells_judge():
    told = training(truth(60), np.arange(60) < 19)
    assert judges(told).sum() == 60
    told = training(truth(60), np.arange(60) < 20)
    assert judges(told).sum() == 20


def test_without_calibration_the_interval_is_normal():
    told = learn(Oracle(np.zeros(5), sd=2.0), training(np.zeros(5)), RNG(0))
    low, high = told.interval(told.surrogate.out_of_fold())
    np.testing.assert_allclose(high - low, 2 * NORMAL_QUANTILE * 2.0)


def test_there_must_be_a_value_of_the_first_readout():
    values = np.column_stack([np.full(4, np.nan), np.ones(4)])
    with pytest.raises(NothingMeasuredError):
        learn(Oracle(np.zeros(4)), training(values), RNG(0))


def test_a_challenger_starts_from_the_champion_unless_from_scratch():
    values = truth(30)
    champion = learned(believed(values, 1.0))
    for scratch in (False, True):
        fresh = Oracle(np.zeros(30))
        learn_round(lambda fresh=fresh: fresh, champion, training(values), RNG(0), scratch)
        assert len(fresh.restored) == (0 if scratch else 1)
    assert champion.surrogate.fitted == []


def test_whoever_wins_reigns():
    values = truth(60)
    good, bad = believed(values, 0.2), believed(values, 3.0)
    champion = learned(good, 0.2)
    reigning, verdict, challenger = learn_round(
        lambda: Oracle(bad), champion, training(values), RNG(0), scratch=True
    )
    assert not verdict.adopt
    assert reigning is champion
    reigning, verdict, challenger = learn_round(
        lambda: Oracle(good, 0.2), learned(bad), training(values), RNG(0), scratch=True
    )
    assert verdict.adopt
    assert reigning is challenger


def test_what_was_packed_is_unpacked():
    told = learned(
        [1.0, 2.0],
        0.5,
        seen=[7, 2**64 - 1],
        calibration=Calibration(1.5, 2.5, 30, 0.1, 0.2, 1.3, 1.4),
        foretold=ForetoldWells(np.array([[2.0], [-3.0]]), np.array([[0.5], [np.nan]])),
    )
    state = packed(told)
    again = unpacked(Oracle(np.zeros(1)), state)
    assert again.calibrations == told.calibrations
    np.testing.assert_array_equal(again.identities, told.identities)
    np.testing.assert_array_equal(again.surrogate.mean, [1.0, 2.0])
    assert again.surrogate.sd == 0.5
    assert set(again.surrogate.restored[0].arrays) == {"mean"}
    np.testing.assert_array_equal(again.foretold.standing, told.foretold.standing)
    np.testing.assert_array_equal(again.foretold.error, told.foretold.error)


def test_a_snapshot_of_the_first_release_opens_with_the_intervals_it_had():
    state = SurrogateState(
        {"mean": np.array([1.0, 9.0]), "learned_identities": np.array([7], dtype=np.uint64)},
        {"surrogate": {"sd": 0.5}, "calibrations": [[1.5, 2.5, 30.0]]},
    )
    told = unpacked(Oracle(np.zeros(1)), state)
    assert told.calibrations == (Calibration(1.5, 2.5, 30),)
    belief = told.surrogate._belief(told.surrogate.mean)
    low, high = told.interval(belief)
    np.testing.assert_allclose(high - low, 2 * 2.5 * 0.5)
    np.testing.assert_allclose(told.sd(belief), 1.5 * 0.5)
    assert len(told.foretold.error) == 0
    again = unpacked(Oracle(np.zeros(1)), packed(told))
    assert again.calibrations == told.calibrations


def test_means_of_replicates_are_held_against_the_noise_of_a_mean():
    rng = RNG(4)
    noise = rng.normal(size=(400, 4)).mean(axis=1)
    asked = replace(training(noise), replicates=np.full((400, 1), 4))
    surrogate = Oracle(np.zeros(400), sd=1.0)
    surrogate._belief = lambda mean: Belief(
        np.zeros((len(mean), 1)), np.full((len(mean), 1), 1e-6), np.ones((len(mean), 1))
    )
    told = learn(surrogate, asked, RNG(0))
    assert told.calibrations[0].temperature == pytest.approx(1.0, abs=0.1)
    low, high = told.interval(surrogate.out_of_fold())
    assert high[0] - low[0] == pytest.approx(2 * NORMAL_QUANTILE, rel=0.15)
    low, high = told.interval(surrogate.out_of_fold(), wells=4)
    assert np.mean((low <= noise) & (noise <= high)) == pytest.approx(0.9, abs=0.02)


def test_every_readout_has_a_calibration_of_its_own():
    rng = RNG(5)
    values = np.stack([rng.normal(0, 1, 200), rng.normal(0, 30, 200)], axis=1)
    surrogate = Oracle(np.zeros(200))
    surrogate._belief = lambda mean: Belief(
        np.zeros((len(mean), 2)), np.full((len(mean), 2), 0.6), np.full((len(mean), 2), 0.8)
    )
    told = learn(surrogate, training(values), RNG(0))
    for readout, size in enumerate((1.0, 30.0)):
        low, high = told.interval(surrogate.out_of_fold(), readout)
        assert high[0] - low[0] == pytest.approx(2 * NORMAL_QUANTILE * size, rel=0.2)


def test_what_a_champion_foretold_widens_its_successors_intervals_where_it_failed():
    rng = RNG(9)
    audit, chosen = 200, 240
    mean = np.concatenate([rng.normal(size=audit), np.full(chosen, 3.0)])
    values = mean + np.concatenate([rng.normal(size=audit), 3 * rng.normal(size=chosen)])
    told = training(values, np.arange(audit + chosen) < audit)
    first = learn(Oracle(mean[:audit]), told[np.arange(audit + chosen) < audit], RNG(0))
    champion = learned(
        mean, seen=first.identities, folded=mean[:audit], calibration=first.calibrations[0]
    )
    plain = learn(Oracle(mean), told, RNG(0))
    reigning, _, challenger = learn_round(lambda: Oracle(mean), champion, told, RNG(0))
    assert reigning is challenger
    np.testing.assert_allclose(
        challenger.foretold.error[:, 0], np.abs(values - mean)[audit:], rtol=1e-6
    )
    assert challenger.calibrations[0].above > 1.5 * plain.calibrations[0].above
    assert challenger.calibrations[0].below == plain.calibrations[0].below
    belief = challenger.surrogate.out_of_fold()[audit:]
    low, high = challenger.interval(belief)
    assert np.mean((low <= values[audit:]) & (values[audit:] <= high)) >= 0.8
    low, high = plain.interval(belief)
    assert np.mean((low <= values[audit:]) & (values[audit:] <= high)) <= 0.75


def test_foretold_wells_are_those_not_learned_from_and_only_the_newest_are_kept():
    n = FORETOLD_KEPT
    calibration = Calibration(wells=30, centre=1.0, reach=2.0)
    old = ForetoldWells(np.full((n, 1), 7.0), np.full((n, 1), 7.0))
    knows = learned(
        np.full(9, 5.0),
        2.0,
        seen=[1, 2, 3],
        folded=[0, 0, 0],
        calibration=calibration,
        foretold=old,
    )
    told = knows.foretell(training(np.arange(9.0)))
    assert len(told.error) == n
    np.testing.assert_array_equal(told.error[-7:, 0], [7.0, 1.0, 0.5, 0.0, 0.5, 1.0, 1.5])
    np.testing.assert_array_equal(told.standing[-6:, 0], 2.0)
    assert knows.foretell(training(np.arange(3.0))) is old
    many = knows.foretell(training(np.arange(9.0), first=10))
    assert len(many.error) == n
    huge = learned(np.zeros(n + 50), seen=[9_999], folded=[0.0], calibration=calibration)
    assert len(huge.foretell(training(np.zeros(n + 50))).error) == n + 50


def test_an_uncalibrated_champion_foretells_nothing_about_large_effects():
    told = learned(np.zeros(5), calibration=Calibration()).foretell(training(np.ones(5)))
    assert np.isnan(told.error).all()


def test_scores_of_a_snapshot_tell_noise_replicates_and_far_wells():
    values = truth(60)
    audit = replace(training(values), replicates=np.full((60, 1), 2), spread=np.full((60, 1), 0.3))
    scores = judge(learned(np.where(np.arange(60) < 3, 50.0, values)), None, audit).scores
    assert scores["replicate_sd"] == pytest.approx(0.3)
    assert scores["noise_sd"] == pytest.approx(0.8)
    assert scores["far_out"] == pytest.approx(3 / 60)
    lonely = judge(learned(values), None, training(values, np.zeros(60))).scores
    assert (lonely["noise_sd"], lonely["far_out"], lonely["replicate_sd"]) == (None, None, None)
