import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.ports.arrays import Representations, View
from surrogate.representation.whitening import Whitening, Whitenings


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 12), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_any_table_gives_finite_columns_and_zeros_where_unknown(rows, columns, seed):
    rng = np.random.default_rng(seed)
    table, known = rng.normal(size=(rows, columns)), rng.random(rows) < 0.7

    mapped = Whitening.of(table, known, 3)(table, known)

    assert mapped.shape[1] <= min(3, columns)
    assert np.isfinite(mapped).all()
    assert (mapped[~known] == 0).all()


def test_known_rows_have_a_mean_square_of_one():
    rng = np.random.default_rng(0)
    table, known = rng.normal(size=(200, 8)) * np.arange(1, 9), np.ones(200, dtype=bool)

    mapped = Whitening.of(table, known, 5)(table, known)

    assert np.mean(mapped**2) == pytest.approx(1.0)


def test_a_column_in_another_unit_does_not_rule():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 8))
    table[:, 3] *= 1e5

    mapped = Whitening.of(table, np.ones(300, dtype=bool), 8)(table, np.ones(300, dtype=bool))

    assert mapped.var(axis=0).max() / mapped.var() < 8


def related(rows, seed=0, noise=0.1):
    """Three views of the same four hidden columns, each in a unit of its own; some rows blank."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 4))
    widths = np.array([6, 9, 5])
    blocks = [
        unit * (hidden @ rng.normal(size=(4, width)) + noise * rng.normal(size=(rows, width)) + 1)
        for width, unit in zip(widths, (1.0, 50.0, 0.01), strict=True)
    ]
    known = rng.random((rows, 3)) < 0.7
    return np.concatenate(blocks, axis=1), known, widths


def blanked(table, known, widths):
    return np.where(np.repeat(known, widths, axis=1), table, 0.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 12), st.lists(st.integers(0, 4), max_size=4), st.integers(0, 2**32 - 1))
def test_any_views_give_finite_columns_and_zeros_where_nothing_is_known(rows, widths, seed):
    rng = np.random.default_rng(seed)
    table, known = rng.normal(size=(rows, sum(widths))), rng.random((rows, len(widths))) < 0.6

    mapped = Whitening.of(table, known, 3, np.array(widths, dtype=int))(table, known)

    assert mapped.shape[1] <= min(3, sum(widths))
    assert np.isfinite(mapped).all()
    assert (mapped[~known.any(axis=1)] == 0).all()


def test_rows_of_several_views_have_a_mean_square_of_one_and_none_rules():
    table, known, widths = related(300)
    whitening = Whitening.of(blanked(table, known, widths), known, 4, widths)

    mapped = whitening(blanked(table, known, widths), known)

    assert np.mean(mapped[known.any(axis=1)] ** 2) == pytest.approx(1.0)
    ends = np.cumsum(widths)
    weight = [
        whitening.basis[end - width : end] * table[:, end - width : end].std()
        for end, width in zip(ends, widths, strict=True)
    ]
    shares = [float((each**2).mean()) for each in weight]
    assert max(shares) / min(shares) < 10


def test_a_view_that_a_row_lacks_is_told_by_the_others():
    table, known, widths = related(400)
    whitening = Whitening.of(blanked(table, known, widths), known, 4, widths)
    everything = np.ones_like(known)

    whole = whitening(table, everything)
    for lacking in range(3):
        known = everything.copy()
        known[:, lacking] = False
        guessed = whitening(blanked(table, known, widths), known)
        assert np.corrcoef(guessed.ravel(), whole.ravel())[0, 1] > 0.97


def test_what_stands_in_an_unknown_row_does_not_matter():
    table, known, widths = related(50)
    rubbish = np.where(np.repeat(known, widths, axis=1), table, 1e6)
    clean = blanked(table, known, widths)

    np.testing.assert_array_equal(
        Whitening.of(rubbish, known, 4, widths)(rubbish, known),
        Whitening.of(clean, known, 4, widths)(clean, known),
    )


def test_one_view_is_what_a_table_without_views_is():
    table = np.random.default_rng(0).normal(size=(30, 5))
    known = np.arange(30) % 4 > 0
    plain = Whitening.of(table, known, 3)
    viewed = Whitening.of(table, known[:, None], 3, np.array([5]))

    np.testing.assert_array_equal(plain.basis, viewed.basis)
    np.testing.assert_array_equal(plain(table, known), viewed(table, known[:, None]))


def given_views(table, known, widths):
    views = tuple(
        View(f"v{n}", int(w), k) for n, (w, k) in enumerate(zip(widths, known.T, strict=True))
    )
    some = known.any(axis=1)
    return Representations(table, some, np.eye(2), np.zeros((len(table), 1)), views)


def test_maps_come_back_from_their_arrays():
    table, known, widths = related(60)
    representations = given_views(blanked(table, known, widths), known, widths)
    learned = Whitenings.of(representations, 4)

    again = Whitenings.of_arrays(learned.arrays())

    np.testing.assert_array_equal(
        again.perturbagen_columns(representations), learned.perturbagen_columns(representations)
    )
    np.testing.assert_array_equal(
        again.context_columns(representations), learned.context_columns(representations)
    )


def test_a_snapshot_from_before_views_and_identity_of_contexts_still_opens():
    table, known, widths = related(40)
    representations = given_views(blanked(table, known, widths), known, widths)
    d, r = table.shape[1], 3
    rng = np.random.default_rng(0)
    old = Whitenings.of_arrays(
        {
            "whitening.perturbagens.centre": np.zeros(d),
            "whitening.perturbagens.basis": rng.normal(size=(d, r)),
            "whitening.contexts.centre": np.zeros(1),
            "whitening.contexts.basis": np.ones((1, 1)),
        }
    )

    columns = old.perturbagen_columns(representations)

    expected = representations.perturbagens @ old.perturbagens.basis
    np.testing.assert_array_equal(columns, expected * representations.known[:, None])
    np.testing.assert_array_equal(old.context_columns(representations), [[1.0], [0.0]])


@pytest.mark.parametrize("rows", [10, 40])
def test_components_are_the_same_by_either_of_two_square_matrices(rows):
    """Rows repeated thrice have the components of the rows, though then they outnumber columns."""
    table, _, widths = related(rows)
    known = np.ones((rows, 3), dtype=bool)
    few = Whitening.of(table, known, 4, widths)(table, known)
    thrice = np.tile(table, (3, 1))
    many = Whitening.of(thrice, np.tile(known, (3, 1)), 4, widths)(table, known)

    np.testing.assert_allclose(few @ few.T, many @ many.T, atol=1e-8)
