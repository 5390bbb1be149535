"""Tiles say what `member_means` says of the same perturbations, only faster."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import observations, problem
from loop.ports.arrays import Combinations
from loop.ports.engine import Compute
from surrogate.additive_low_rank import AdditiveLowRank
from surrogate.committee import Committee
from surrogate.ensemble import Ensemble
from surrogate.ensemble_tiler import EnsembleTables, EnsembleTiler
from surrogate.gaussian_process import GaussianProcess
from surrogate.linear import Linear
from surrogate.sparse_gaussian_process import SparseGaussianProcess
from surrogate.two_hot_process import TwoHotGaussianProcess

PERTURBAGENS, DOSED = 9, 5
TILEABLE = [
    Ensemble,
    GaussianProcess,
    TwoHotGaussianProcess,
    SparseGaussianProcess,
    Linear,
    AdditiveLowRank,
    Committee,
]


def items():
    """Every perturbagen at each of its levels: the first five have two."""
    who = np.repeat(np.arange(PERTURBAGENS), np.where(np.arange(PERTURBAGENS) < DOSED, 2, 1))
    level = np.concatenate([[0], np.where(who[1:] == who[:-1], 1, 0)])
    return of_items([[place] for place in range(len(who))], who, level, 0)


def of_items(places, who, level, context):
    """Perturbations given by the places of their items, with 3 slots."""
    components = np.full((len(places), 3), -1)
    levels = np.full((len(places), 3), -1)
    for row, each in enumerate(places):
        components[row, : len(each)] = who[each]
        levels[row, : len(each)] = level[each]
    return Combinations(components, levels, np.full(len(places), context))


def sets(places, context):
    every = items()
    return of_items(places, every.components[:, 0], every.levels[:, 0], context)


def tile(places, context, first, stop):
    """Prefixes, the candidates of their tile as one block, and which of them are any."""
    whole = [[*each, item] for item in range(first, stop) for each in places]
    candidates = sets(whole, context)
    return sets(places, context), candidates, [max(each[:-1], default=-1) for each in whole]


# Orders 1, 2 and 3; items 0 to 13, of which 0 to 9 are the two levels of perturbagens 0 to 4.
TILES = [
    ([[]], 0, 0, 14),
    ([[0], [1], [2], [5]], 1, 6, 14),
    ([[3]], 0, 4, 14),
    ([[0, 2], [0, 3], [1, 4]], 1, 6, 13),
    ([[7, 10], [8, 11]], 0, 12, 14),
]


def fitted(kind, **settings):
    surrogate = kind(problem(**settings))
    surrogate.fit(observations(40), np.random.default_rng(3))
    return surrogate


def said(tiler, prefixes, first, stop, readouts=2):
    out = torch.full((readouts, tiler.members, stop - first, len(prefixes)), torch.nan)
    tiler.means(tiler.begin(prefixes), first, stop, out)
    return out


def expected(surrogate, candidates, shape):
    """From `member_means`, in the shape of a tile."""
    return surrogate.member_means(candidates).permute(2, 0, 1).reshape(shape)


def agree(surrogate, tiler, tolerance=1e-4):
    size = np.ptp(surrogate.out_of_fold().mean)
    for places, context, first, stop in TILES:
        prefixes, candidates, _ = tile(places, context, first, stop)
        told = said(tiler, prefixes, first, stop)
        whole = expected(surrogate, candidates, told.shape)
        torch.testing.assert_close(told, whole, rtol=0.0, atol=tolerance * size)


@pytest.fixture(scope="module", params=TILEABLE)
def surrogate(request):
    return fitted(request.param)


def test_a_tile_agrees_with_the_members_means(surrogate):
    agree(surrogate, surrogate.tiler(items(), (0, 1), "float32"))


def test_a_tile_holds_the_readouts_asked_for_in_the_order_asked(surrogate):
    prefixes, _, _ = tile(*TILES[1])
    both = said(surrogate.tiler(items(), (0, 1), "float32"), prefixes, 6, 14)

    for asked in ((0,), (1,), (1, 0)):
        told = said(surrogate.tiler(items(), asked, "float32"), prefixes, 6, 14, len(asked))
        torch.testing.assert_close(told, both[list(asked)])


@pytest.mark.parametrize("kind", TILEABLE)
def test_in_float64_a_tile_agrees_to_float32(kind):
    asked = replace(problem(), compute=Compute(dtype="float64", threads=1))
    surrogate = kind(asked)
    surrogate.fit(observations(40), np.random.default_rng(3))

    agree(surrogate, surrogate.tiler(items(), (0, 1), "float32"), 1e-6)


def test_what_was_asked_before_and_what_twins_are_asked_changes_no_bit(surrogate):
    tiler = surrogate.tiler(items(), (0, 1), "float32")
    first = [said(tiler, tile(*each)[0], *each[2:]) for each in TILES]

    twin = tiler.twin()
    again = [said(tiler, tile(*each)[0], *each[2:]) for each in reversed(TILES)]
    others = [said(twin, tile(*each)[0], *each[2:]) for each in TILES]

    for one, two, three in zip(first, reversed(again), others, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)


def test_all_members_at_once_say_what_they_say_one_by_one():
    ensemble = fitted(Ensemble)
    tables = EnsembleTables.of(*ensemble._known(), items(), (0, 1))
    for group, block in ((16, 4096), (5, 64), (1, 1)):
        agree(ensemble, EnsembleTiler(tables, group, block))
