import pytest
from hypothesis import given, settings

from loop.domain.errors import LayoutError
from loop.domain.plate import Plate, PlateFormat, Role, Well
from tests import strategies


@given(strategies.wells())
@settings(max_examples=100, deadline=None)
def test_a_well_is_found_where_its_name_says_padded_or_not(place):
    labware, row, column = place
    name = labware.well(row, column)
    unpadded = name[:-2] + str(int(name[-2:]))
    assert labware.position(name) == (row, column)
    assert labware.position(unpadded.lower()) == (row, column)


@pytest.mark.parametrize(("labware", "last"), [(96, "H12"), (384, "P24"), (1536, "AF48")])
def test_the_last_well_ends_the_plate(labware, last):
    plate = PlateFormat(labware)
    assert plate.rows * plate.columns == labware
    assert plate.well(plate.rows - 1, plate.columns - 1) == last


@pytest.mark.parametrize("name", ["I01", "A13", "A0", "A00", "", "7", "B", "AA01", "BA1", "A1x"])
def test_a_well_that_is_not_there_is_refused_with_the_range(name):
    with pytest.raises(LayoutError, match="A01 to H12"):
        PlateFormat.P96.position(name)


def test_only_the_second_alphabet_of_rows_begins_with_a():
    assert PlateFormat.P1536.position("AA01") == (26, 0)
    with pytest.raises(LayoutError, match="'BA01'"):
        PlateFormat.P1536.position("BA01")


def test_a_plate_fills_a_well_once_however_it_is_spelled():
    wells = (Well("B07", Role.EMPTY, None), Well("b7", Role.EMPTY, None))
    with pytest.raises(LayoutError, match="fills a well twice"):
        Plate("p", "0", PlateFormat.P96, wells)
