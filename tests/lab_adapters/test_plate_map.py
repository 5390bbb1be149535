import csv
import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from lab_adapters.plate_map import (
    PLATE_MAP_COLUMNS,
    design_id,
    render_plate_map,
    render_results_template,
    unpadded,
)
from loop.domain.goal import Readout
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.ports.lab import WorkOrder

IDS = st.text(
    st.characters(codec="utf-8", exclude_characters="+|@", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.strip())


def order(*wells):
    plate = Plate("camp.b2.p1", "PL00AA11BB", PlateFormat.P384, wells)
    return WorkOrder("key9", "camp", "camp.b2", 2, (plate,), (Readout("gi", "sd"),))


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_pair_with_doses_a_control_and_an_empty_well_by_hand():
    pair = Perturbation.parse("B@0.5uM+A@10nM|K562")
    content = render_plate_map(
        order(
            Well("B07", Role.TREATMENT, pair, 2),
            Well("P24", Role.NEGATIVE, Perturbation((), "K562")),
            Well("A01", Role.EMPTY, None),
        )
    )

    header, first, second, control, empty = content.decode().split("\n")[:5]

    assert header == ",".join(PLATE_MAP_COLUMNS)
    common = "pertloop.plate-map.1,key9,camp,2,camp.b2.p1,PL00AA11BB,384"
    design = design_id(pair)
    assert first == f"{common},B7,treatment,{design},2,K562,1,A,,10,nM,,,"
    assert second == f"{common},B7,treatment,{design},2,K562,2,B,,0.5,uM,,,"
    assert control == f"{common},P24,negative,{design_id(Perturbation((), 'K562'))},1,K562,,,,,,,,"
    assert empty == f"{common},A1,empty,,1,,,,,,,,,"
    assert content.endswith(b"\n")


@given(names=st.lists(IDS, min_size=1, max_size=4, unique=True), context=IDS)
@settings(max_examples=50)
def test_whatever_an_id_holds_comes_back_from_the_file(names, context):
    perturbation = Perturbation.parse("+".join(names) + f"|{context}")

    read = rows(render_plate_map(order(Well("A01", Role.TREATMENT, perturbation))))

    assert [row["perturbation_id"] for row in read] == [
        part.perturbagen for part in perturbation.components
    ]
    assert {row["sample_id"] for row in read} == {context}
    assert all(re.fullmatch(r"[A-Za-z0-9.-]+", row["design_id"]) for row in read)


def test_a_design_keeps_its_id_and_no_two_share_one():
    keys = [f"G{a}+G{b}|K562" for a in range(40) for b in range(a)]

    ids = {design_id(Perturbation.parse(key)) for key in keys}

    assert len(ids) == len(keys)
    assert design_id(Perturbation.parse("B+A|c")) == design_id(Perturbation.parse("A+B|c"))


def test_wells_of_a_large_plate_are_written_unpadded():
    assert unpadded(PlateFormat.P1536, "af48") == "AF48"
    assert unpadded(PlateFormat.P1536, "AA01") == "AA1"


def test_the_template_has_a_row_for_every_well_and_readout_and_no_value():
    well = Well("A01", Role.TREATMENT, Perturbation.parse("A|K562"))

    (row,) = rows(render_results_template(order(well)))

    assert row["value"] == row["status"] == ""
    assert (row["plate_id"], row["well"], row["readout"], row["unit"]) == (
        "camp.b2.p1",
        "A1",
        "gi",
        "sd",
    )
