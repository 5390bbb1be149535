from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import (
    DoseError,
    InvalidError,
    UnknownContextError,
    UnknownPerturbagenError,
)
from loop.domain.library import Library
from loop.domain.perturbation import Component, Dose, Perturbagen, Perturbation
from tests import strategies

TWO = Library(
    (Perturbagen("TP53"), Perturbagen("drug", doses=(Dose(0.5, "uM"), Dose(1.0, "uM")))),
    ("K562",),
    (1, 2),
)


@given(strategies.libraries(), st.data())
@settings(max_examples=50, deadline=None)
def test_whatever_is_made_of_the_library_passes(library, data):
    chosen = data.draw(st.lists(st.sampled_from(library.perturbagens), unique_by=lambda p: p.id))
    parts = tuple(
        Component(each.id, data.draw(st.sampled_from(each.doses)) if each.doses else None)
        for each in chosen
    )
    library.check(Perturbation(parts, data.draw(st.sampled_from(library.contexts))))


@pytest.mark.parametrize(
    ("key", "error", "told"),
    [
        ("TP35|K562", UnknownPerturbagenError, "Did you mean 'TP53'"),
        ("TP53|K526", UnknownContextError, "Did you mean 'K562'"),
        ("drug|K562", DoseError, "needs a dose; write one of 0.5uM, 1uM"),
        ("drug@2uM|K562", DoseError, "no dose 2uM; the library lists 0.5uM, 1uM"),
        ("drug@1nM|K562", DoseError, "no dose 1nM"),
        ("TP53@1uM|K562", DoseError, "no doses at all"),
    ],
)
def test_what_the_library_does_not_hold_is_refused_with_a_hint(key, error, told):
    with pytest.raises(error, match=told):
        TWO.check(Perturbation.parse(key))


def test_a_control_may_always_be_asked_about():
    TWO.check(Perturbation.parse("|K562"))


@pytest.mark.parametrize("orders", [(), (-1,), (3,), (0, 4)])
def test_orders_must_fit_the_library(orders):
    with pytest.raises(InvalidError, match="do not fit a library of 2"):
        Library(TWO.perturbagens, ("c",), orders)


def test_an_empty_library_is_refused():
    with pytest.raises(InvalidError, match="holds no perturbagen"):
        Library((), ("c",), (1,))
    with pytest.raises(InvalidError, match="holds no context"):
        Library((Perturbagen("A"),), (), (1,))


def test_what_is_listed_twice_is_named():
    twice = (Perturbagen("A"), Perturbagen("B"), Perturbagen("A"))
    with pytest.raises(InvalidError, match="perturbagen 'A' twice"):
        Library(twice, ("c",), (1,))
    with pytest.raises(InvalidError, match="context 'c' twice"):
        Library(twice[:2], ("c", "c"), (1,))


def test_a_forbidden_perturbagen_must_be_known():
    with pytest.raises(UnknownPerturbagenError, match="'X' \\(in forbidden\\)"):
        Library(TWO.perturbagens, ("c",), (1,), frozenset({frozenset({"TP53", "X"})}))


@pytest.mark.parametrize(
    ("ceiling", "levels"), [("0.4uM", 0), ("0.5uM", 1), ("0.9uM", 1), ("1uM", 2), ("9uM", 2)]
)
def test_a_ceiling_leaves_the_levels_that_are_not_above_it(ceiling, levels):
    library = replace(TWO, ceilings={"drug": Dose.parse(ceiling)})
    assert library.levels_allowed("drug") == levels
    assert library.levels_allowed("TP53") == 1
    kept = [
        library.is_below_ceilings(Perturbation.parse(f"TP53+drug@{dose}|K562"))
        for dose in ("0.5uM", "1uM")
    ]
    assert kept == [levels >= 1, levels >= 2]
    library.check(Perturbation.parse("drug@1uM|K562"))


@pytest.mark.parametrize(
    ("ceilings", "error", "told"),
    [
        ({"durg": "1uM"}, UnknownPerturbagenError, "constraints.max_dose.*Did you mean 'drug'"),
        ({"drug": "1nM"}, DoseError, r"max_dose.drug = '1nM', .* lists 0.5uM, 1uM .*in uM"),
        ({"TP53": "1uM"}, DoseError, r"max_dose.TP53 = '1uM', .* lists no doses at all"),
    ],
)
def test_a_ceiling_that_fits_no_dose_is_refused(ceilings, error, told):
    with pytest.raises(error, match=told):
        replace(TWO, ceilings={name: Dose.parse(dose) for name, dose in ceilings.items()})
