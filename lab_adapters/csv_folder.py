"""The lab that any lab is: a plate map goes out as CSV, results come back as CSV."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab_adapters.drop_folder import DropFolder, naming_problems
from lab_adapters.plate_map import (
    PLATE_MAP,
    RESULTS_TEMPLATE,
    formula_warning,
    render_plate_map,
    render_results_template,
)
from loop.domain.errors import InvalidError, LabUnreachableError
from loop.domain.nearest import did_you_mean
from loop.domain.plate import PlateFormat
from loop.ports.lab import Capabilities, LabSetup, Problem, ResultsChunk, WorkOrder

_SETTLED_S = 60.0


@dataclass(frozen=True, slots=True)
class CsvFolder:
    """Hands work over as files in a folder, and takes the results that people drop there.

    A job is the folder `<setup.folder>/<batch id>/` with `plate_map.csv` and
    `results_template.csv`; the reference is the batch id. Someone makes and reads the plates,
    and either saves the filled-in template as `results.csv` (or `results-anything.csv`) in that
    folder, or brings a file with `pertloop ingest`; both may be done, and twice, without harm.

    `describe().collects` is False: nothing comes back by itself, so nobody should wait for it.
    `collect` still answers with what has been dropped so far.
    """

    setup: LabSetup

    def __post_init__(self) -> None:
        """Refuse settings, of which this adapter has none.

        Raises:
            InvalidError: If there is one.
        """
        for name in self.setup.settings:
            hint = did_you_mean(name, ["adapter", "plate", "negative", "positive"])
            msg = f"lab.{name}: the adapter 'csv' has no such setting; remove it.{hint}"
            raise InvalidError(msg)

    def describe(self) -> Capabilities:
        """All formats, any order, doses; a person measures."""
        return Capabilities(frozenset(PlateFormat), max_order=None, doses=True, collects=False)

    def validate(self, order: WorkOrder) -> list[Problem]:
        """What cannot be written as files, and a warning for what a spreadsheet would misread."""
        return naming_problems(order) + formula_warning(order)

    def render(self, order: WorkOrder) -> Mapping[str, bytes]:
        """The plate map and the results template."""
        return {
            PLATE_MAP: render_plate_map(order),
            RESULTS_TEMPLATE: render_results_template(order),
        }

    def submit(self, order: WorkOrder, files: Mapping[str, bytes]) -> str:
        """Write the files as one folder, whole or not at all."""
        return self._folder.submit(order.key, order.batch, files)

    def find(self, key: str) -> str | None:
        """The batch whose plate map carries this key."""
        return self._folder.find(key)

    def collect(self, reference: str) -> list[ResultsChunk]:
        """The files `results*.csv` of the job's folder, by name; half-written ones wait.

        Raises:
            LabUnreachableError: If the folder is gone or cannot be read.
        """
        dropped = sorted(self._folder.job(reference).glob("results*.csv"))
        try:
            read = [(path.name, _whole(path)) for path in dropped if path.name != RESULTS_TEMPLATE]
        except OSError as error:
            msg = f"A results file of {reference!r} cannot be read: {error}; check its permissions."
            raise LabUnreachableError(msg) from error
        return [ResultsChunk(name, content) for name, content in read if content is not None]

    @property
    def _folder(self) -> DropFolder:
        return DropFolder(self.setup.folder)


def _whole(path: Path) -> bytes | None:
    """The bytes of a file that nobody is still writing, or None.

    A file that did not change while it was read and ends with a line break holds whole rows; if
    more rows follow, the longer file is simply ingested after it. One that ends within a line
    may lack digits of its last number, so it must have been left alone for a while.
    """
    before = path.stat()
    content = path.read_bytes()
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    settled = time.time() - after.st_mtime > _SETTLED_S
    return content if content.endswith(b"\n") or (content and settled) else None
