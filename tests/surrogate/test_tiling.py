"""Tiles say what `member_means` says of the same perturbations, only faster."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import earlier_screen, observations, problem
from loop.domain.errors import InvalidError
from loop.ports.arrays import SurrogateState
from loop.ports.engine import Compute
from loop.space.virtual import VirtualSpace
from surrogate.additive_low_rank import AdditiveLowRank
from surrogate.committee import Committee
from surrogate.deep_kernel import DeepKernel
from surrogate.ensemble import Ensemble
from surrogate.ensemble_tables import EnsembleTables
from surrogate.ensemble_tiler import EnsembleTiler
from surrogate.extra_trees import ExtraTrees
from surrogate.gaussian_process import GaussianProcess
from surrogate.linear import Linear
from surrogate.nested_state import nested
from surrogate.observed_pairs import ObservedPairs
from surrogate.sparse_gaussian_process import SparseGaussianProcess
from surrogate.two_hot_process import TwoHotGaussianProcess

TILEABLE = [
    Ensemble,
    GaussianProcess,
    TwoHotGaussianProcess,
    SparseGaussianProcess,
    Linear,
    AdditiveLowRank,
    Committee,
]


SD = float(observations(40).values.std())
SPACE = VirtualSpace([2] * 5 + [1] * 4, 2, (1, 2, 3))


def tiles(rows=7, columns=5):
    """Some tiles of every section: prefixes, a run of items, candidates, and which are any."""
    for section in SPACE.sections():
        for start in range(0, section.prefixes, 3 * rows):
            stripe = SPACE.stripe(section, start, min(start + rows, section.prefixes))
            first = max(int(stripe.starts.min()), len(SPACE.items) - columns)
            run = np.arange(first, len(SPACE.items))
            any_there = run[:, None] >= stripe.starts
            if any_there.any():
                addresses = np.where(any_there, stripe.addresses + run[:, None] - stripe.starts, 0)
                candidates = SPACE.unrank(addresses[any_there])
                yield stripe.prefixes, (first, len(SPACE.items)), candidates, any_there


def fitted(kind, training=None, asked=None, **settings):
    """Learned in few steps: whether tiles are right does not hang on how good beliefs are."""
    few = {AdditiveLowRank: {"sweeps": 8}, ExtraTrees: {}}.get(kind, {"steps": 10})
    asked = asked or problem()
    surrogate = kind(replace(asked, settings={**few, **settings}))
    surrogate.fit(training or observations(40), np.random.default_rng(3))
    return surrogate


def said(tiler, prefixes, first, stop, readouts=2):
    out = torch.full((readouts, tiler.members, stop - first, len(prefixes)), torch.nan)
    tiler.means(tiler.begin(prefixes), first, stop, out)
    return out


def exactly(surrogate, asked=None):
    """The same surrogate in float64."""
    exact = replace(asked or problem(), compute=Compute(dtype="float64", threads=1))
    other = type(surrogate)(exact)
    other.restore(surrogate.state())
    return other


def agree(exact, tiler, tolerance=1e-4, only=None):
    """Within 1e-4 of the readouts' SD (float32 `member_means` are no nearer to the truth)."""
    orders = set()
    for prefixes, run, candidates, there in tiles():
        if only not in (None, prefixes.contexts[0]):
            continue
        told = said(tiler, prefixes, *run).permute(1, 2, 3, 0)[:, torch.as_tensor(there)]
        whole = exact.member_means(candidates)
        torch.testing.assert_close(told, whole, rtol=0.0, atol=tolerance * SD)
        orders |= set((candidates.components >= 0).sum(axis=1).tolist())
    assert orders == {1, 2, 3}


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=TILEABLE)
def surrogate(request):
    return fitted(request.param)


def test_a_tile_agrees_with_the_members_means(surrogate):
    agree(exactly(surrogate), surrogate.tiler(SPACE.items, (0, 1), "float32"))


def test_a_tile_holds_the_readouts_asked_for_in_the_order_asked(surrogate):
    prefixes, run, _, _ = list(tiles())[-1]
    both = said(surrogate.tiler(SPACE.items, (0, 1), "float32"), prefixes, *run)

    for asked in ((0,), (1,), (1, 0)):
        told = said(surrogate.tiler(SPACE.items, asked, "float32"), prefixes, *run, len(asked))
        torch.testing.assert_close(told, both[list(asked)])


@pytest.mark.parametrize("kind", TILEABLE)
def test_in_float64_a_tile_agrees_to_float32(kind):
    exact = replace(problem(), compute=Compute(dtype="float64", threads=1))
    surrogate = fitted(kind, asked=exact)

    agree(surrogate, surrogate.tiler(SPACE.items, (0, 1), "float32"), 1e-6)


def test_a_restored_surrogate_tells_the_same_tiles(surrogate):
    restored = type(surrogate)(problem())
    restored.restore(surrogate.state())

    agree(exactly(surrogate), restored.tiler(SPACE.items, (0, 1), "float32"))


def test_what_was_asked_before_and_what_twins_are_asked_changes_no_bit(surrogate, one_thread):
    tiler = surrogate.tiler(SPACE.items, (0, 1), "float32")
    asked = [(prefixes, *run) for prefixes, run, _, _ in tiles()]
    first = [said(tiler, *each) for each in asked]

    again = [said(tiler, *each) for each in reversed(asked)]
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        both = pool.map(lambda twin: [said(twin, *each) for each in asked], (tiler, tiler.twin()))

    for told in (again[::-1], *both):
        assert all(torch.equal(one, other) for one, other in zip(first, told, strict=True))


def test_a_tile_may_be_told_into_part_of_a_larger_tensor(surrogate):
    tiler = surrogate.tiler(SPACE.items, (0, 1), "float32")
    prefixes, (first, stop), _, _ = list(tiles())[-1]
    size = stop - first, len(prefixes)
    wide = torch.full((2, tiler.members, 2 * size[0], size[1] + 3), torch.nan)

    tiler.means(tiler.begin(prefixes), first, stop, wide[:, :, ::2, : size[1]])

    torch.testing.assert_close(
        wide[:, :, ::2, : size[1]], said(tiler, prefixes, first, stop), rtol=1e-5, atol=1e-5
    )
    assert wide[:, :, 1::2].isnan().all()


def test_a_prefix_of_items_that_are_not_there_is_refused(surrogate):
    tiler = surrogate.tiler(SPACE.items[slice(0, 4)], (0, 1), "float32")
    stripe = SPACE.stripe(SPACE.sections()[1], 0, 14)

    with pytest.raises(InvalidError, match="not among the tiler's items"):
        tiler.begin(stripe.prefixes)


@pytest.mark.parametrize("kind", TILEABLE)
def test_with_earlier_screens_there_are_no_tiles(kind):
    surrogate = fitted(kind, asked=replace(problem(), prior=(earlier_screen(),)))

    assert surrogate.tiler(SPACE.items, (0, 1), "float32") is None


@pytest.mark.parametrize("kind", [DeepKernel, ExtraTrees])
def test_what_is_no_sum_over_items_and_pairs_has_no_tiles(kind):
    assert fitted(kind).tiler(SPACE.items, (0, 1), "float32") is None


@pytest.mark.parametrize("kind", TILEABLE)
def test_a_tile_agrees_where_doses_tell_nothing(kind):
    representations = problem().representations
    alike = np.where(np.isfinite(representations.doses), 0.0, np.nan)
    asked = replace(problem(), representations=replace(representations, doses=alike))
    surrogate = fitted(kind, asked=asked)

    agree(exactly(surrogate, asked), surrogate.tiler(SPACE.items, (0, 1), "float32"))


@pytest.mark.parametrize("kind", TILEABLE)
def test_a_tile_agrees_in_one_context_without_urs(kind):
    representations = replace(
        problem().representations,
        perturbagens=np.zeros((9, 0)),
        known=np.zeros(9, dtype=bool),
        contexts=np.ones((1, 1)),
    )
    asked = replace(problem(), representations=representations)
    training = observations(40)
    here = replace(training.combinations, contexts=np.zeros(40, dtype=np.int64))
    surrogate = fitted(kind, replace(training, combinations=here), asked)

    tiler = surrogate.tiler(SPACE.items, (0, 1), "float32")
    agree(exactly(surrogate, asked), tiler, only=0)


@pytest.mark.parametrize("width", [8, 16])
def test_an_ensembles_tile_agrees_however_many_items_follow(width):
    ensemble = fitted(Ensemble, interaction=5, width=width)
    tables = EnsembleTables.of(*ensemble._known(), SPACE.items, (0, 1))

    for few in (0, 5, 100):
        agree(exactly(ensemble), EnsembleTiler(replace(tables, few=few), 1, 64))


@pytest.mark.parametrize("few", [0, 100])
def test_bf16_tiles_are_near_the_members_means(few):
    ensemble = fitted(Ensemble)
    whole = EnsembleTables.of(*ensemble._known(), SPACE.items, (0, 1))
    tables = replace(whole, few=few).in_half()
    tiler, errors = EnsembleTiler(tables, 1, 4096), []

    for prefixes, run, candidates, there in tiles():
        told = said(tiler, prefixes, *run).permute(1, 2, 3, 0)[:, torch.as_tensor(there)]
        errors.append((told - ensemble.member_means(candidates)).flatten())

    assert 0 < torch.cat(errors).square().mean().sqrt() < 0.01 * SD
    assert torch.cat(errors).abs().max() < 0.05 * SD


def test_a_committees_forms_tell_no_function_that_no_draw_needs():
    committee = fitted(Committee)
    tiler = committee.tiler(SPACE.items, (0, 1), "float32")

    assert tiler.mixture.weights.shape[2] < 2 * tiler.members
    assert (tiler.mixture.weights.abs().amax(dim=(0, 1)) > 0).all()


def test_what_observed_pairs_give_is_the_same_without_a_sparse_product():
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(0, 8, (20, 3), generator=generator)
    observed = ObservedPairs(places, torch.randn(20, 4, generator=generator), 7)
    alike = torch.randn(5, 7, generator=generator)

    torch.testing.assert_close(observed(alike), observed.added_up(alike))


def test_all_members_at_once_say_what_they_say_one_by_one():
    ensemble = fitted(Ensemble)
    tables = EnsembleTables.of(*ensemble._known(), SPACE.items, (0, 1))
    for group, block in ((16, 4096), (5, 64), (1, 1)):
        agree(exactly(ensemble), EnsembleTiler(tables, group, block))


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (1.0, 0.0, 0.0), (0.0, 0.02, 0.98)])
def test_a_committee_with_an_ensemble_on_it_tells_tiles(weights):
    seats = {"sparse-gaussian-process": SparseGaussianProcess, "linear": Linear}
    states = {name: fitted(kind).state() for name, kind in {**seats, "ensemble": Ensemble}.items()}
    whole = nested(states)
    committee = Committee(problem())
    committee.restore(
        SurrogateState(
            {**whole.arrays, "weights": np.array(weights)},
            {**whole.settings, "seats": list(states)},
        )
    )
    agree(exactly(committee), committee.tiler(SPACE.items, (0, 1), "float32"), 2e-4)
