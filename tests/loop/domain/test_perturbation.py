import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import DoseError, InvalidError
from loop.domain.perturbation import Component, Dose, Perturbagen, Perturbation, check_id
from tests import strategies


@given(strategies.perturbations())
@settings(max_examples=80, deadline=None)
def test_a_key_names_one_perturbation_and_can_be_read_back(perturbation):
    read = Perturbation.parse(perturbation.key)
    assert read == perturbation
    assert read.key == perturbation.key


@given(strategies.perturbations(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_components_are_named_does_not_matter(perturbation, random):
    shuffled = list(perturbation.components)
    random.shuffle(shuffled)
    assert Perturbation(tuple(shuffled), perturbation.context).key == perturbation.key


def test_the_empty_set_is_the_control():
    control = Perturbation.parse("|K562")
    assert control.is_control
    assert control.order == 0
    assert control.key == "|K562"


def test_the_canonical_key_sorts_ids_and_carries_doses():
    read = Perturbation.parse(" B @ 1 uM +A@0.50uM|  K562 ")
    assert read.key == "A@0.5uM+B@1uM|K562"
    assert read.order == 2


def test_a_context_may_not_hold_a_bar_so_the_last_bar_separates():
    with pytest.raises(InvalidError, match="cannot be an id"):
        Perturbation.parse("A|B|C")


@pytest.mark.parametrize("key", ["A+B", "", "A+A|c", "A++B|c", "A+|c", "A|", "A@|c", "A@uM|c"])
def test_a_malformed_key_is_refused_with_a_sentence(key):
    with pytest.raises(InvalidError) as refused:
        Perturbation.parse(key)
    assert str(refused.value).endswith(".")


def test_a_perturbagen_named_twice_is_refused_by_name():
    with pytest.raises(InvalidError, match="names 'A' twice"):
        Perturbation((Component("A"), Component("A", Dose(1.0, "uM"))), "c")


@pytest.mark.parametrize("text", ["A+B", "A|B", "A@B", " A", "A ", "", "A\n", "\x00", "A\x7f"])
def test_what_would_break_a_key_is_no_id(text):
    with pytest.raises(InvalidError, match="cannot be an id"):
        check_id("Perturbagen", text)


@given(strategies.doses)
@settings(max_examples=80, deadline=None)
def test_a_dose_can_be_read_back_and_never_holds_a_separator(dose):
    assert Dose.parse(str(dose)) == dose
    assert not set("+|@") & set(str(dose))


@pytest.mark.parametrize("text", ["10", "0.5", "1e5", "1e-3", ".5", "7.", "12345", "1.2.3uM", "uM"])
def test_a_number_without_unit_is_no_dose(text):
    with pytest.raises(DoseError, match="number and its unit"):
        Dose.parse(text)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_an_amount_is_a_positive_number(value):
    with pytest.raises(DoseError, match="positive number"):
        Dose(value, "uM")


@pytest.mark.parametrize("unit", ["", "u M", "u+M", "u|M"])
def test_a_dose_needs_a_unit_that_a_key_can_hold(unit):
    with pytest.raises(DoseError, match="has no unit"):
        Dose(1.0, unit)


def test_doses_of_a_perturbagen_share_a_unit_and_differ():
    with pytest.raises(DoseError, match="several units"):
        Perturbagen("A", doses=(Dose(1.0, "uM"), Dose(1.0, "nM")))
    with pytest.raises(DoseError, match="lists a dose twice"):
        Perturbagen("A", doses=(Dose(1.0, "uM"), Dose(1.0, "uM")))
