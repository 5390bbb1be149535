"""Small spaces written out with itertools, to judge the arithmetic by."""

from itertools import combinations, product

import numpy as np
from hypothesis import strategies as st

from loop.ports.arrays import Combinations
from loop.space import VirtualSpace


def rows_of(given):
    """Each perturbation as (context, ((component, level), ...))."""
    return [
        (
            context,
            tuple(
                (component, level)
                for component, level in zip(row, row_levels, strict=True)
                if component != -1
            ),
        )
        for row, row_levels, context in zip(
            given.components.tolist(), given.levels.tolist(), given.contexts.tolist(), strict=True
        )
    ]


def arrays_of(rows, slots):
    """The inverse of `rows_of`."""
    components = np.full((len(rows), slots), -1, dtype=np.int64)
    levels = np.full((len(rows), slots), -1, dtype=np.int64)
    contexts = np.array([context for context, _ in rows], dtype=np.int64)
    for row, (_, parts) in enumerate(rows):
        for slot, (component, level) in enumerate(parts):
            components[row, slot], levels[row, slot] = component, level
    return Combinations(components, levels, contexts)


def listed(levels, contexts, orders):
    """Every member of a space, in no particular order."""
    return {
        (context, parts)
        for context in range(contexts)
        for order in set(orders)
        for chosen in combinations(range(len(levels)), order)
        for parts in product(*[[(one, level) for level in range(levels[one])] for one in chosen])
    }


def is_permitted(row, forbidden):
    chosen = {component for component, _ in row[1]}
    return not any(set(each) <= chosen for each in forbidden)


@st.composite
def small_spaces(draw, most_order=4):
    """(levels, contexts, orders, forbidden, slots) of a space of at most some hundred rows."""
    levels = draw(st.lists(st.integers(1, 3), min_size=1, max_size=6))
    contexts = draw(st.integers(1, 3))
    top = min(most_order, len(levels))
    orders = tuple(draw(st.lists(st.integers(0, top), min_size=1, max_size=4)))
    positions = st.integers(0, len(levels) - 1)
    sets = st.lists(positions, min_size=1, max_size=3, unique=True)
    forbidden = [tuple(each) for each in draw(st.lists(sets, max_size=4))]
    slots = max(orders) + draw(st.integers(0, 2))
    return levels, contexts, orders, forbidden, slots


def everything(space):
    return space.unrank(np.arange(len(space)))


def pairs(perturbagens, forbidden=()):
    """All pairs, one context, no doses."""
    return VirtualSpace([1] * perturbagens, 1, (2,), forbidden)
