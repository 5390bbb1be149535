import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.observation import fold
from loop.domain.perturbation import Perturbation
from tests import strategies

A = Perturbation.parse("A|c")


@given(st.lists(strategies.readings, min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_replicates_fold_to_mean_spread_and_count(values):
    folded = fold(A, "gi", values)
    assert folded.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-6)
    assert folded.replicates == len(values)
    if len(values) > 1:
        assert folded.spread == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)


def test_a_single_well_has_no_spread():
    assert fold(A, "gi", [1.5]).spread is None
