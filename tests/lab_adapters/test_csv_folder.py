import csv
import io
import os

import pytest

from lab_adapters.csv_folder import CsvFolder
from loop.contracts.lab_adapter import LabAdapterContract, order_of
from loop.domain.errors import AlreadyExistsError, InvalidError, LabUnreachableError
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.ports.lab import LabSetup, WorkOrder
from loop.results_file import parse_results


class TestContract(LabAdapterContract):
    @pytest.fixture
    def factory(self):
        return CsvFolder

    def bring_results(self, setup, reference, order):
        job = setup.folder / reference
        rows = list(csv.DictReader(io.StringIO((job / "results_template.csv").read_text())))
        with (job / "results.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row | {"value": number / 7} for number, row in enumerate(rows))


@pytest.fixture
def lab(tmp_path):
    return CsvFolder(LabSetup(tmp_path / "lab", {}, 0))


@pytest.fixture
def job(lab, tmp_path):
    order = order_of()
    return tmp_path / "lab" / lab.submit(order, lab.render(order))


def test_a_job_is_a_folder_named_by_its_batch(job):
    assert job.name == "contract.b1"
    assert {path.name for path in job.iterdir()} == {"plate_map.csv", "results_template.csv"}


def test_the_template_alone_is_no_result(lab, job):
    assert lab.collect(job.name) == []


def test_an_untouched_template_parses_and_says_that_everything_is_missing(lab, job):
    parsed = parse_results((job / "results_template.csv").read_bytes(), "results_template.csv")

    assert not parsed.problems
    assert {row.status for row in parsed.rows} == {"missing"}


def test_every_dropped_results_file_is_collected_by_name(lab, job):
    (job / "results_2.csv").write_text("b\n")
    (job / "results.csv").write_text("a\n")
    (job / "notes.csv").write_text("c\n")

    chunks = lab.collect(job.name)

    assert [(chunk.name, chunk.content) for chunk in chunks] == [
        ("results.csv", b"a\n"),
        ("results_2.csv", b"b\n"),
    ]


def test_a_file_that_stops_within_a_line_waits_until_it_has_been_left_alone(lab, job):
    dropped = job / "results.csv"
    dropped.write_text("plate_id,well,readout,value\np,A1,growth,1.2")

    assert lab.collect(job.name) == []
    os.utime(dropped, (1_000_000_000, 1_000_000_000))
    assert [chunk.name for chunk in lab.collect(job.name)] == ["results.csv"]


def test_an_empty_file_is_not_collected(lab, job):
    dropped = job / "results.csv"
    dropped.touch()
    os.utime(dropped, (1_000_000_000, 1_000_000_000))

    assert lab.collect(job.name) == []


def test_a_folder_of_another_job_is_not_overwritten(lab, job):
    other = order_of(key="k2")

    with pytest.raises(AlreadyExistsError, match="belongs to another job"):
        lab.submit(other, lab.render(other))

    assert lab.find("k2") is None
    assert lab.find("k1") == job.name


def test_a_job_whose_folder_is_gone_is_said_to_be_gone(lab):
    with pytest.raises(LabUnreachableError, match="is gone"):
        lab.collect("nothing.b1")


def test_a_lab_folder_that_is_a_file_cannot_be_used(tmp_path):
    (tmp_path / "lab").write_text("")
    lab = CsvFolder(LabSetup(tmp_path / "lab", {}, 0))
    order = order_of()

    with pytest.raises(LabUnreachableError, match="cannot be used"):
        lab.submit(order, lab.render(order))


def test_a_setting_is_refused(tmp_path):
    with pytest.raises(InvalidError, match=r"lab\.plates: .* no such setting.* 'plate'\?"):
        CsvFolder(LabSetup(tmp_path, {"plates": 3}, 0))


@pytest.mark.parametrize("batch", ["../b1", "a/b", ".b1", ""])
def test_a_batch_that_is_no_file_name_is_refused(lab, tmp_path, batch):
    order = order_of(batch=batch)

    assert [problem.blocks for problem in lab.validate(order)] == [True]
    with pytest.raises(InvalidError, match="cannot be a file name"):
        lab.submit(order, lab.render(order))
    assert not list(tmp_path.rglob("*"))


def test_an_id_that_a_spreadsheet_would_compute_is_warned_of_and_written_as_it_is(lab):
    well = Well("A01", Role.TREATMENT, Perturbation.parse("=1*2|K562"))
    plate = Plate("p1", "PL1", PlateFormat.P96, (well,))
    order = WorkOrder("k", "c", "b", 1, (plate,), order_of().readouts)

    (problem,) = lab.validate(order)

    assert not problem.blocks
    assert "'=1*2' begins like a formula" in problem.sentence
    assert b",=1*2," in lab.render(order)["plate_map.csv"]


def test_an_order_without_plates_is_a_problem(lab):
    order = WorkOrder("k", "c", "b", 1, (), order_of().readouts)

    assert "nothing to make" in lab.validate(order)[0].sentence
