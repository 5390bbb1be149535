"""Earlier screens for tests: made from effects and a map that are known."""

import numpy as np

from loop.ports.arrays import Combinations, PriorScreen


def all_pairs(size):
    left, right = np.triu_indices(size, 1)
    components = np.stack([left, right], axis=1)
    return Combinations(components, np.zeros_like(components), np.zeros(len(left), dtype=np.int64))


def truth(size=40, rank=2, seed=0):
    """Effects (P,) and factors (P, r) of a screen in which both matter."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=size), rng.normal(size=(size, rank))


def of_pairs(effects, factors, combinations):
    left, right = combinations.components.T
    return effects[left] + effects[right] + (factors[left] * factors[right]).sum(axis=1)


def screen(size=40, noise=0.5, seed=0, name="earlier", positions=None):
    combinations = all_pairs(size)
    values = of_pairs(*truth(size, seed=seed), combinations)
    values = values + np.random.default_rng(seed + 1).normal(0, noise, len(values))
    positions = np.arange(size) if positions is None else positions
    return PriorScreen(name, combinations, values, np.zeros((size, 1)), np.asarray(positions))
