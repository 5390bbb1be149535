import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.encoding import standardised_doses
from surrogate.readout_scale import ReadoutScale
from surrogate.whitening import Whitening


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


def test_a_readout_that_never_varies_has_a_scale_of_one():
    scale = ReadoutScale.of(np.array([[3.0, np.nan], [3.0, np.nan]]))

    np.testing.assert_array_equal(scale.mean, [3.0, 0.0])
    np.testing.assert_array_equal(scale.sd, [1.0, 1.0])


def test_levels_that_a_perturbagen_lacks_are_zero_and_count_for_nothing():
    doses = standardised_doses(np.array([[-1.0, 1.0], [0.0, np.nan]]))

    assert doses[1, 1] == 0.0
    np.testing.assert_allclose(doses[0], [-(1.5**0.5), 1.5**0.5])
