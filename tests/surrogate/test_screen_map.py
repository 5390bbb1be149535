import tracemalloc
from dataclasses import replace

import numpy as np

from loop.ports.arrays import Combinations
from surrogate import screen_map
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


def test_a_genome_of_singles_beside_some_pairs_takes_no_table_of_a_genome():
    pairs = screen()
    strangers = np.stack([np.arange(40, 30_000), np.full(29_960, -1)], axis=1)
    components = np.concatenate([pairs.combinations.components, strangers])
    values = np.concatenate([pairs.values, np.resize(pairs.values, len(strangers))])
    genome = replace(
        pairs,
        combinations=Combinations(
            components, np.where(components < 0, -1, 0), np.zeros(len(components), dtype=np.int64)
        ),
        values=values,
        doses=np.zeros((30_000, 1)),
    )

    tracemalloc.start()
    learned = ScreenMap.of(genome)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert learned.factors.shape[0] == 30_000
    assert learned.factors[:40].any(axis=1).all()
    assert most < 2e8
    assert not learned.factors[40:].any()


def test_the_most_often_measured_are_mapped_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(screen_map, "_MOST_IN_PAIRS", 30)
    earlier = screen()
    rare = earlier.combinations.components.max(axis=1) >= 30
    kept = ~rare | (np.arange(len(earlier)) % 4 == 0)
    part = replace(earlier, combinations=earlier.combinations[kept], values=earlier.values[kept])

    learned = ScreenMap.of(part)

    assert not learned.factors[30:].any()
    assert (learned.factors[:30] != 0).any(axis=1).all()


def test_noise_alone_makes_no_map_however_gappy_the_screen():
    rng = np.random.default_rng(5)
    for size, count in ((100, 600), (300, 4_000)):
        whole = all_pairs(size)
        rows = rng.choice(len(whole), count, replace=False)
        noise = replace(screen(size), combinations=whole[rows], values=rng.normal(size=count))

        assert ScreenMap.of(noise).factors.shape[1] == 0
