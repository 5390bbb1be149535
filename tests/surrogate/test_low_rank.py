import numpy as np
import torch
from scipy import sparse

from loop.contracts.surrogate import every_kind
from surrogate.linear_features import Columns
from surrogate.low_rank import Draws, Rows, drawn, signs

SIZE = 20


def told(count, noise=0.1, seed=0):
    """Pairs of 20 perturbagens that act by one product of hidden vectors, and by nothing else."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=SIZE)
    pairs = rng.permutation([(a, b) for a in range(SIZE) for b in range(a + 1, SIZE)])[:count]
    truth = hidden[pairs].prod(axis=1)
    columns = Columns(sparse.csr_matrix((count, 0)), np.ones((count, 1)))
    values = truth + noise * rng.normal(size=count)
    return Rows(columns, pairs, values, np.ones(count)), truth


def drawn_from(rows, seen):
    generator = torch.Generator().manual_seed(0)
    return drawn(rows, seen, np.ones(1), 0.05, SIZE, 3, 60, generator, lambda share: None)


def test_a_product_of_hidden_vectors_is_found_in_pairs_that_were_not_seen():
    rows, truth = told(190)
    seen = np.tile(np.arange(190) < 130, (4, 1))

    said = drawn_from(rows, seen)(rows.columns, rows.components).mean(axis=1)

    assert np.corrcoef(said[130:], truth[130:])[0, 1] > 0.8


def test_a_chain_learns_nothing_from_rows_that_it_may_not_see():
    rows, _ = told(100)
    seen = np.tile(np.arange(100) < 60, (2, 1))
    other = Rows(rows.columns, rows.components, rows.values.copy(), rows.wells)
    other.values[60:] = 99.0

    first, second = drawn_from(rows, seen), drawn_from(other, seen)

    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-9)
    np.testing.assert_allclose(first.weights, second.weights, atol=1e-9)


def test_what_draws_say_of_a_set_is_the_sum_over_its_pairs():
    rng = np.random.default_rng(1)
    draws = Draws(np.zeros((1, 5)), rng.normal(size=(9, 4, 5)))
    components = every_kind().components
    nothing = Columns(sparse.csr_matrix((len(components), 0)), np.zeros((len(components), 1)))

    said = draws(nothing, components)

    for row, members in zip(said, components, strict=True):
        there = draws.vectors[members[members >= 0]]
        expected = np.zeros(5)
        for one in range(len(there)):
            for other in range(one):
                expected += signs(4) @ (there[one] * there[other])
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_singles_have_no_map():
    rows, _ = told(30)
    alone = np.stack([rows.components[:, 0], np.full(30, -1)], axis=1)
    singles = Rows(rows.columns, alone, rows.values, rows.wells)

    draws = drawn_from(singles, np.ones((2, 30), dtype=bool))

    assert np.isfinite(draws(singles.columns, alone)).all()
