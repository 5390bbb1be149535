import numpy as np
import pytest

from loop.contracts.nouns import MOMENT
from loop.domain.dispatch import Dispatch
from loop.domain.goal import Normalization, Readout
from loop.domain.library import Library
from loop.domain.observation import Measurement, WellStatus
from loop.domain.perturbation import Perturbagen, Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.encoding import LibraryIndex
from loop.observe import data_hash, observe, training_set

GI = Readout("gi", normalization=Normalization.SUBTRACT_NEGATIVE)
RAW = Readout("gi")
LIBRARY = Library(tuple(Perturbagen(each) for each in "ABC"), ("c", "d"), (0, 1, 2))


def plate(name, wells):
    """A plate with wells given as {'A01': '|c'}; controls are what has no components."""
    made = []
    for place, key in wells.items():
        what = None if key is None else Perturbation.parse(key)
        control = what is not None and what.is_control
        role = Role.EMPTY if what is None else Role.NEGATIVE if control else Role.TREATMENT
        made.append(Well(place, role, what))
    return Plate(name, name, PlateFormat.P96, tuple(made))


def dispatch(*plates):
    return Dispatch("key", "b", "csv", plates, 0, MOMENT)


def measured(plate_id, readout="gi", status=WellStatus.OK, **values):
    return [
        Measurement(plate_id, well, readout, value, "", status, "f" * 64)
        for well, value in values.items()
    ]


ONE = plate("p1", {"A01": "|c", "A02": "|c", "A03": "|c", "B01": "A|c", "B02": "B+A|c"})
TWO = plate("p2", {"A01": "|c", "A02": "|c", "B01": "A|c"})


def test_each_plate_is_corrected_by_the_median_of_its_own_negatives():
    observed = observe(
        [dispatch(ONE, TWO)],
        measured("p1", A01=1.0, A02=2.0, A03=9.0, B01=5.0, B02=0.0)
        + measured("p2", A01=10.0, A02=12.0, B01=13.0),
        [GI],
    )
    assert observed.corrected["p1", "B01", "gi"] == 3.0
    assert observed.corrected["p1", "B02", "gi"] == -2.0
    assert observed.corrected["p2", "B01", "gi"] == 2.0
    assert observed.value("A|c", "gi") == 2.5
    assert observed.by_key["A|c"]["gi"].replicates == 2
    assert observed.by_key["A|c"]["gi"].spread == pytest.approx(np.sqrt(0.5))
    assert observed.value("|c", "gi") == pytest.approx((-1 + 0 + 7 - 1 + 1) / 5)
    assert observed.notes == ()


def test_without_normalisation_values_stay_as_they_are():
    observed = observe([dispatch(TWO)], measured("p2", A01=10.0, B01=13.0), [RAW])
    assert observed.value("A|c", "gi") == 13.0
    assert observed.notes == ()


@pytest.mark.parametrize("controls", [{}, {"A01": 1.0}])
def test_a_plate_with_too_few_controls_is_noted_and_not_learned_from(controls):
    observed = observe(
        [dispatch(ONE, TWO)],
        measured("p1", **controls, B01=5.0) + measured("p2", A01=0.0, A02=0.0, B01=4.0),
        [GI],
    )
    assert observed.value("A|c", "gi") == 4.0
    assert not [place for place in observed.corrected if place[0] == "p1"]
    [note] = observed.notes
    assert "Plate p1 has fewer than 2 measured negative controls" in note
    assert f"its {1 + len(controls)} values" in note


def test_dead_controls_do_not_count():
    failed = measured("p2", status=WellStatus.FAILED, A02=1.0)
    observed = observe([dispatch(TWO)], measured("p2", A01=1.0, B01=5.0) + failed, [GI])
    assert len(observed.notes) == 1
    assert observed.by_key == {}


def test_each_context_is_corrected_by_its_own_negatives():
    both = plate(
        "p", {"A01": "|c", "A02": "|c", "A03": "|d", "A04": "|d", "B01": "A|c", "B02": "A|d"}
    )
    values = measured("p", A01=1.0, A02=1.0, A03=5.0, A04=5.0, B01=2.0, B02=2.0)
    observed = observe([dispatch(both)], values, [GI])
    assert observed.value("A|c", "gi") == 1.0
    assert observed.value("A|d", "gi") == -3.0
    lacking = [m for m in values if m.well != "A04"]
    assert observe([dispatch(both)], lacking, [GI]).by_key == {}


def test_only_wells_that_are_ok_and_hold_something_are_observed():
    odd = plate("p", {"A01": None, "B01": "A|c", "B02": "B|c", "B03": "C|c"})
    values = measured("p", A01=1.0, B01=2.0)
    values += measured("p", status=WellStatus.SATURATED, B02=3.0)
    values += measured("p", status=WellStatus.EXCLUDED, B03=3.0)
    observed = observe([dispatch(odd)], values, [RAW])
    assert set(observed.by_key) == {"A|c"}


def test_readouts_are_corrected_each_by_its_own_rule():
    values = measured("p2", A01=1.0, A02=1.0, B01=3.0) + measured("p2", "growth", B01=7.0)
    observed = observe([dispatch(TWO)], values, [GI, Readout("growth")])
    assert observed.value("A|c", "gi") == 2.0
    assert observed.value("A|c", "growth") == 7.0
    assert observed.value("A|c", "other") is None
    assert observed.value("B|c", "gi") is None


def test_observations_become_arrays_sorted_by_key():
    values = measured("p1", B02=4.0, B01=1.0) + measured("p2", B01=3.0)
    values += measured("p1", "growth", B02=9.0)
    observed = observe([dispatch(ONE, TWO)], values, [RAW, Readout("growth")])
    training = training_set(
        observed, [RAW, Readout("growth")], LibraryIndex(LIBRARY), frozenset({"A+B|c"})
    )
    np.testing.assert_array_equal(training.values, [[4.0, 9.0], [2.0, np.nan]])
    np.testing.assert_array_equal(training.replicates, [[1, 1], [2, 0]])
    np.testing.assert_array_equal(training.spread, [[np.nan, np.nan], [np.sqrt(2), np.nan]])
    np.testing.assert_array_equal(training.combinations.components, [[0, 1], [0, -1]])
    np.testing.assert_array_equal(training.audit, [True, False])


def test_of_nothing_there_is_an_empty_training_set():
    training = training_set(observe([], [], [RAW]), [RAW], LibraryIndex(LIBRARY), frozenset())
    assert training.values.shape == (0, 1)
    assert len(training) == 0


def hashed(values, audit=frozenset()):
    observed = observe([dispatch(ONE)], values, [RAW])
    return data_hash(training_set(observed, [RAW], LibraryIndex(LIBRARY), audit))


def test_the_data_s_hash_changes_with_anything_learned_from_and_with_nothing_else():
    values = measured("p1", B01=1.0, B02=2.0)
    same = hashed(values)
    assert hashed(values[::-1]) == same
    assert hashed(values + measured("p1", status=WellStatus.FAILED, A01=3.0)) == same
    others = [
        hashed(measured("p1", B01=1.0, B02=2.5)),
        hashed(values + measured("p1", A01=0.0)),
        hashed(values, frozenset({"A|c"})),
        hashed(measured("p1", B01=1.0)),
    ]
    assert len({same, *others}) == 5
