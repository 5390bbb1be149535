"""What the hub asks of a lab."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loop.domain.goal import Readout
from loop.domain.plate import Plate, PlateFormat


@dataclass(frozen=True, slots=True)
class LabSetup:
    """All that an adapter is built from: its own folder, its settings, a seed."""

    folder: Path
    settings: Mapping[str, str | int | float | bool]
    seed: int


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """What a lab is asked to make and measure: plates whose every well is decided."""

    key: str
    campaign: str
    batch: str
    batch_number: int
    plates: tuple[Plate, ...]
    readouts: tuple[Readout, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter can do: plate formats, largest order, whether doses, whether it measures.

    An adapter that does not measure (`collects` False) only hands the work over; a person brings
    the results with `pertloop ingest`.
    """

    formats: frozenset[PlateFormat]
    max_order: int | None
    doses: bool
    collects: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an order cannot be made as it stands, in a sentence."""

    sentence: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class ResultsChunk:
    """A results file as it came: a name and its bytes; the SHA-256 of the bytes is its id."""

    name: str
    content: bytes


class LabAdapter(Protocol):
    """A lab behind one interface: a folder of files, a robot, a simulation.

    `submit` happens at most once for a key: the key travels inside what is handed over, so that
    `find` recognises the job after a crash between sending and remembering.
    """

    def describe(self) -> Capabilities:
        """What this lab can do."""
        ...

    def validate(self, order: WorkOrder) -> list[Problem]:
        """What stands against this order; pure, no input or output."""
        ...

    def render(self, order: WorkOrder) -> Mapping[str, bytes]:
        """The files to hand over, by name; the same order gives the same bytes."""
        ...

    def submit(self, order: WorkOrder, files: Mapping[str, bytes]) -> str:
        """Hand the order over and return the lab's reference for it.

        Raises:
            LabUnreachableError: If the lab could not be reached; nothing has been moved.
            StorageFullError: If files could not be written whole; nothing is left behind.
            AlreadyExistsError: If the lab knows another job under the same batch.
            InvalidError: If the lab cannot name this batch.
        """
        ...

    def find(self, key: str) -> str | None:
        """The reference of the job that carries this key, if there is one."""
        ...

    def collect(self, reference: str) -> list[ResultsChunk]:
        """The results so far, in the canonical format; empty while there are none."""
        ...


class LabAdapterFactory(Protocol):
    """The object behind an entry point of the group `pertloop.lab_adapters`."""

    def __call__(self, setup: LabSetup) -> LabAdapter:
        """An adapter.

        Raises:
            InvalidError: If a setting is unknown or out of range.
        """
        ...
