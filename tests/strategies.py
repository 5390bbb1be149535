"""Hypothesis strategies, one per noun of the domain."""

from hypothesis import strategies as st

from loop.domain.library import Library
from loop.domain.perturbation import Component, Dose, Perturbagen, Perturbation
from loop.domain.plate import PlateFormat

_WORD = st.text(st.sampled_from("ABCxyz019 .-_:/<>&$#'\"[]()µαβ基因"), min_size=1, max_size=8)

ids = _WORD.filter(lambda text: text == text.strip())
"""Ids as people have them: brackets, quotes, dollars, Greek, but no separator of keys."""

units = st.sampled_from(["uM", "nM", "µg/ml", "MOI", "eq", "%"])

amounts = st.floats(1e-9, 1e15, allow_subnormal=False).map(lambda value: float(f"{value:.12g}"))

doses = st.builds(Dose, amounts, units)

components = st.builds(Component, ids, st.none() | doses)


@st.composite
def perturbations(draw, most=4):
    parts = draw(st.lists(components, max_size=most, unique_by=lambda part: part.perturbagen))
    return Perturbation(tuple(parts), draw(ids))


@st.composite
def perturbagens(draw):
    unit = draw(units)
    levels = draw(st.lists(amounts, max_size=3, unique=True))
    return Perturbagen(draw(ids), doses=tuple(Dose(level, unit) for level in sorted(levels)))


@st.composite
def libraries(draw):
    members = draw(st.lists(perturbagens(), min_size=1, max_size=6, unique_by=lambda each: each.id))
    contexts = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
    orders = draw(st.sets(st.integers(0, min(3, len(members))), min_size=1))
    return Library(tuple(members), tuple(contexts), tuple(sorted(orders)))


plate_formats = st.sampled_from(PlateFormat)


@st.composite
def wells(draw):
    """A plate format, and the row and column of one of its wells."""
    labware = draw(plate_formats)
    row = draw(st.integers(0, labware.rows - 1))
    return labware, row, draw(st.integers(0, labware.columns - 1))


readings = st.floats(-1e6, 1e6)
"""Numbers a plate reader may give."""
