from dataclasses import replace

import numpy as np

from surrogate.screen_map import ScreenMap, standardised
from tests.surrogate.earlier_screens import all_pairs, of_pairs, screen, truth


def test_a_map_recovers_effects_and_pairs_better_than_the_noisy_values():
    noisy = screen(noise=2.0)
    pure = of_pairs(*truth(), all_pairs(40))

    learned = ScreenMap.of(noisy).expected(noisy.combinations.components)

    raw = np.corrcoef(noisy.values, pure)[0, 1]
    assert np.corrcoef(learned, pure)[0, 1] > raw + 0.05
    assert ScreenMap.of(noisy).factors.shape[1] == 2


def test_a_shuffled_screen_has_next_to_no_map():
    noisy = screen()
    shuffled = replace(noisy, values=np.random.default_rng(0).permutation(noisy.values))

    learned = ScreenMap.of(shuffled)

    expected = learned.expected(noisy.combinations.components)
    assert expected.std() < 0.3 * standardised(shuffled.values).std()


def test_gaps_do_not_stop_it():
    whole = screen()
    kept = np.random.default_rng(1).random(len(whole)) < 0.5
    part = replace(whole, combinations=whole.combinations[kept], values=whole.values[kept])

    guessed = ScreenMap.of(part).expected(whole.combinations.components[~kept])

    assert np.corrcoef(guessed, whole.values[~kept])[0, 1] > 0.7


def test_the_empty_set_and_strangers_do_nothing():
    learned = ScreenMap.of(screen())

    assert learned.expected(np.array([[-1, -1]])).tolist() == [0.0]


def test_single_perturbagens_make_effects_alone():
    singles = replace(
        screen(),
        combinations=all_pairs(40)[np.arange(40)],
        values=np.arange(40.0),
    )
    singles.combinations.components[:] = np.stack([np.arange(40), np.full(40, -1)], axis=1)

    learned = ScreenMap.of(singles)

    assert learned.factors.shape == (40, 0)
    assert np.corrcoef(learned.effects, singles.values)[0, 1] > 0.95


def test_outliers_are_held():
    values = np.random.default_rng(0).normal(size=200)
    values[0] = 1e6

    assert np.abs(standardised(values)).max() <= 5.0
