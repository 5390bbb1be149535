"""The best of a stream."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acquisition.scanning.top_list import TopList
from acquisition.scatter import scattered


@given(
    utilities=st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    size=st.integers(1, 20),
    cuts=st.lists(st.integers(1, 59), max_size=5),
)
def test_it_keeps_what_sorting_everything_would_keep(
    utilities: list[int], size: int, cuts: list[int]
) -> None:
    values = np.array(utilities, dtype=np.float64)
    addresses = np.arange(len(values), dtype=np.int64)
    ties = scattered(addresses, 5)
    best = TopList(size)

    for block in np.split(addresses, sorted(cut for cut in set(cuts) if cut < len(values))):
        best.offer(block, values[block], ties[block])

    expected = np.lexsort((ties, -values))[:size]
    assert best.addresses.tolist() == expected.tolist()
    assert best.utilities.tolist() == values[expected].tolist()


def test_rounding_that_float32_does_not_see_decides_nothing() -> None:
    addresses = np.arange(50, dtype=np.int64)
    ties = scattered(addresses, 5)
    plain, jittered = TopList(10), TopList(10)

    plain.offer(addresses, np.full(50, 1.0), ties)
    jittered.offer(addresses, 1.0 + 1e-13 * np.sin(np.arange(50)), ties)

    assert plain.addresses.tolist() == jittered.addresses.tolist()
