# ruff: noqa: D102 (the name of a test is the sentence)
"""What every lab adapter owes, in a form that runs.

A plug-in's test subclasses `LabAdapterContract` and overrides the fixture `factory`, and, where
a person or another machine measures, the method `bring_results`.
"""

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from loop.domain.errors import StorageFullError
from loop.domain.goal import Readout
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.ports.lab import LabAdapter, LabAdapterFactory, LabSetup, WorkOrder
from loop.results_file import ParsedResults, parse_results

READOUTS = (Readout("growth", "sd"), Readout("dna damage", "au"))


def order_of(
    key: str = "k1",
    batch: str = "contract.b1",
    labware: PlateFormat = PlateFormat.P96,
    wells: int = 20,
    plates: int = 2,
) -> WorkOrder:
    """An order with singles, pairs, triples and negative controls in two contexts."""
    return WorkOrder(
        key=key,
        campaign="contract",
        batch=batch,
        batch_number=1,
        plates=tuple(
            Plate(f"{batch}.p{number}", f"PL{number:08X}", labware, tuple(_wells(labware, wells)))
            for number in range(1, plates + 1)
        ),
        readouts=READOUTS,
    )


def _wells(labware: PlateFormat, wells: int) -> Iterator[Well]:
    for place in range(wells):
        name = labware.well(*divmod(place, labware.columns))
        context = ("K562", "Jurkat E6.1")[place % 2]
        together = "+".join(f"G{place + extra}" for extra in range(place % 4))
        role = Role.TREATMENT if together else Role.NEGATIVE
        yield Well(name, role, Perturbation.parse(f"{together}|{context}"))


class _BreakingFiles(Mapping[str, bytes]):
    """Files of which only the first can be had; then somebody presses Ctrl-C."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {**files, "zz.txt": b""}

    def __getitem__(self, name: str) -> bytes:
        if name != next(iter(self._files)):
            raise KeyboardInterrupt
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """While it lasts, this process can write no file beyond a size, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class LabAdapterContract:
    """Laws of `loop.ports.lab.LabAdapter`, for adapters whose jobs are files in their folder."""

    @pytest.fixture
    def factory(self) -> LabAdapterFactory:
        """The adapter's factory; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def setup(self, tmp_path: Path) -> LabSetup:
        """A folder that does not exist yet, no settings, a seed."""
        return LabSetup(tmp_path / "lab", {}, 7)

    @pytest.fixture
    def lab(self, factory: LabAdapterFactory, setup: LabSetup) -> LabAdapter:
        """A fresh adapter."""
        return factory(setup)

    def bring_results(self, setup: LabSetup, reference: str, order: WorkOrder) -> None:
        """What must happen between submission and collection; nothing, if the lab measures."""

    def test_rendering_twice_gives_the_same_bytes(
        self, factory: LabAdapterFactory, setup: LabSetup
    ) -> None:
        first = factory(setup).render(order_of())

        again = factory(setup).render(order_of())

        assert dict(first) == dict(again)
        assert first

    def test_rendering_and_validating_leave_no_trace(
        self, lab: LabAdapter, setup: LabSetup
    ) -> None:
        lab.render(order_of())
        lab.validate(order_of())

        assert not setup.folder.exists()

    def test_an_order_within_the_capabilities_has_no_blocking_problem(
        self, lab: LabAdapter
    ) -> None:
        largest = max(lab.describe().formats)

        problems = lab.validate(order_of(labware=largest))

        assert not [problem for problem in problems if problem.blocks]

    def test_the_key_travels_in_what_is_handed_over(self, lab: LabAdapter) -> None:
        files = lab.render(order_of(key="a-key-of-its-own"))

        assert any(b"a-key-of-its-own" in content for content in files.values())

    def test_the_same_key_twice_is_one_job(
        self, factory: LabAdapterFactory, setup: LabSetup
    ) -> None:
        order = order_of()
        lab = factory(setup)
        first = lab.submit(order, lab.render(order))
        before = _contents(setup.folder)

        second = factory(setup).submit(order, lab.render(order))

        assert second == first
        assert _contents(setup.folder) == before

    def test_a_job_is_found_by_an_adapter_that_did_not_submit_it(
        self, factory: LabAdapterFactory, setup: LabSetup
    ) -> None:
        orders = [order_of(f"k{number}", f"contract.b{number}") for number in (1, 2, 3)]
        lab = factory(setup)
        references = [lab.submit(order, lab.render(order)) for order in orders]

        found = [factory(setup).find(order.key) for order in orders]

        assert found == references
        assert len(set(references)) == len(orders)

    def test_an_unknown_key_is_not_found(self, lab: LabAdapter) -> None:
        assert lab.find("nobody") is None
        order = order_of()
        lab.submit(order, lab.render(order))

        assert lab.find("nobody") is None

    def test_a_submission_that_breaks_leaves_nothing_and_can_be_repeated(
        self, lab: LabAdapter, setup: LabSetup
    ) -> None:
        order = order_of()
        files = lab.render(order)

        with pytest.raises(KeyboardInterrupt):
            lab.submit(order, _BreakingFiles(files))

        assert _contents(setup.folder) == {}
        assert lab.find(order.key) is None
        reference = lab.submit(order, files)
        assert lab.find(order.key) == reference

    def test_a_disk_that_fills_up_midway_is_refused_and_leaves_nothing(
        self, lab: LabAdapter, setup: LabSetup
    ) -> None:
        order = order_of()
        files = lab.render(order)
        assert max(map(len, files.values())) > 1000

        with largest_file(1000), pytest.raises(StorageFullError):
            lab.submit(order, files)

        assert _contents(setup.folder) == {}
        assert lab.find(order.key) is None

    def test_every_planned_well_is_reported_or_explicitly_missing(
        self, lab: LabAdapter, setup: LabSetup
    ) -> None:
        order = order_of()
        reference = lab.submit(order, lab.render(order))

        self.bring_results(setup, reference, order)

        assert _reported(lab, reference) == _planned(order)

    def test_collecting_twice_brings_the_same_bytes(self, lab: LabAdapter, setup: LabSetup) -> None:
        order = order_of()
        reference = lab.submit(order, lab.render(order))
        self.bring_results(setup, reference, order)

        assert lab.collect(reference) == lab.collect(reference)

    def test_a_plate_of_1536_wells_goes_out_and_comes_back(
        self, lab: LabAdapter, setup: LabSetup
    ) -> None:
        if PlateFormat.P1536 not in lab.describe().formats:
            pytest.skip("this lab has no such plates")
        order = order_of(labware=PlateFormat.P1536, wells=1536, plates=1)

        reference = lab.submit(order, lab.render(order))
        self.bring_results(setup, reference, order)

        assert _reported(lab, reference) == _planned(order)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def _planned(order: WorkOrder) -> set[tuple[str, str, str]]:
    return {
        (plate.id, well.name, readout.name)
        for plate in order.plates
        for well in plate.wells
        for readout in order.readouts
    }


def _reported(lab: LabAdapter, reference: str) -> set[tuple[str, str, str]]:
    parsed: list[ParsedResults] = [
        parse_results(chunk.content, chunk.name) for chunk in lab.collect(reference)
    ]
    assert not [problem for each in parsed for problem in each.problems]
    return {(row.plate_id, row.well, row.readout) for each in parsed for row in each.rows}
