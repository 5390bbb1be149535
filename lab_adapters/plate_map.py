"""The canonical plate map, and a results table for a person to fill in.

The plate map is long: one row for each well and component, columns as `PLATE_MAP_COLUMNS`. What
the columns alone do not say:

- `sample_id` is the context (the cell line, donor or condition in the well): the format has no
  column of its own for it.
- `design_id` is a short hash of the canonical key: the same perturbation has the same id in every
  plate, batch and campaign, whatever characters its perturbagens' ids hold.
- `component` counts from 1; a well in which nothing acts has one row, with `component` and
  `perturbation_id` empty.
- `perturbation_type`, `source_plate`, `source_well` and `volume_nl` are empty: an order does not
  know them. They are there for adapters that do.

Ids are written as they are. An id that begins with `=` or `-` is a formula to a spreadsheet; a
guard such as a leading apostrophe would be a different id to every program that reads the file,
so the bytes stay exact and `formula_warning` tells the person instead. (`+` and `@` cannot occur
in an id, nor can `|`, without which a formula cannot start a program in old spreadsheets.)
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator

from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Well
from loop.ports.lab import Problem, WorkOrder

PLATE_MAP = "plate_map.csv"
PLATE_MAP_SCHEMA = "pertloop.plate-map.1"
PLATE_MAP_COLUMNS = (
    "schema",
    "dispatch_key",
    "campaign_id",
    "batch_no",
    "plate_id",
    "plate_barcode",
    "plate_format",
    "well",
    "role",
    "design_id",
    "replicate",
    "sample_id",
    "component",
    "perturbation_id",
    "perturbation_type",
    "dose",
    "dose_unit",
    "source_plate",
    "source_well",
    "volume_nl",
)

RESULTS_TEMPLATE = "results_template.csv"
RESULTS_SCHEMA = "pertloop.results.1"
RESULTS_COLUMNS = (
    "schema",
    "dispatch_key",
    "plate_id",
    "plate_barcode",
    "well",
    "readout",
    "value",
    "unit",
    "timepoint_h",
    "measured_at",
    "instrument",
    "status",
    "flag",
)

_FORMULA = ("=", "-")


def render_plate_map(order: WorkOrder) -> bytes:
    """The plate map of an order; the same order gives the same bytes."""
    return table(PLATE_MAP_COLUMNS, _plate_map_rows(order))


def render_results_template(order: WorkOrder) -> bytes:
    """A results table with a row for each well and readout, and no value yet."""
    rows = (
        results_row(order, plate, well, readout.name, unit=readout.unit)
        for plate in order.plates
        for well in plate.wells
        for readout in order.readouts
    )
    return table(RESULTS_COLUMNS, rows)


def results_row(
    order: WorkOrder, plate: Plate, well: Well, readout: str, **further: str
) -> dict[str, str]:
    """One row of a results table; `further` are cells by column."""
    return {
        "schema": RESULTS_SCHEMA,
        "dispatch_key": order.key,
        "plate_id": plate.id,
        "plate_barcode": plate.barcode,
        "well": unpadded(plate.format, well.name),
        "readout": readout,
        **further,
    }


def table(columns: tuple[str, ...], rows: Iterable[dict[str, str]]) -> bytes:
    """A CSV table: UTF-8, comma, line feed, quotes where needed; absent cells are empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def unpadded(plate_format: PlateFormat, name: str) -> str:
    """The name of a well as robots write it: `B7` for `B07`."""
    row, column = plate_format.position(name)
    return f"{plate_format.well(row, column)[:-2]}{column + 1}"


def design_id(perturbation: Perturbation) -> str:
    """A short id of letters and digits that names a perturbation wherever it occurs."""
    return "D" + hashlib.sha256(perturbation.key.encode()).hexdigest()[:12]


def formula_warning(order: WorkOrder) -> list[Problem]:
    """A warning that names the first id which a spreadsheet would take for a formula."""
    names = {
        name
        for plate in order.plates
        for well in plate.wells
        if well.perturbation is not None
        for name in (
            well.perturbation.context,
            *(part.perturbagen for part in well.perturbation.components),
        )
        if name.startswith(_FORMULA)
    }
    if not names:
        return []
    sentence = (
        f"{min(names)!r} begins like a formula, and a spreadsheet may compute it instead of "
        f"showing it; import {PLATE_MAP} as text, or rename it in the library."
    )
    return [Problem(sentence, blocks=False)]


def _plate_map_rows(order: WorkOrder) -> Iterator[dict[str, str]]:
    for plate in order.plates:
        for well in plate.wells:
            whole = {
                "schema": PLATE_MAP_SCHEMA,
                "dispatch_key": order.key,
                "campaign_id": order.campaign,
                "batch_no": str(order.batch_number),
                "plate_id": plate.id,
                "plate_barcode": plate.barcode,
                "plate_format": str(plate.format.value),
                "well": unpadded(plate.format, well.name),
                "role": well.role.value,
                "replicate": str(well.replicate),
            }
            for part in _component_cells(well.perturbation):
                yield whole | part


def _component_cells(perturbation: Perturbation | None) -> Iterator[dict[str, str]]:
    if perturbation is None:
        yield {}
        return
    common = {"design_id": design_id(perturbation), "sample_id": perturbation.context}
    if perturbation.is_control:
        yield common
    for number, part in enumerate(perturbation.components, start=1):
        cells = {"component": str(number), "perturbation_id": part.perturbagen}
        if part.dose is not None:
            cells |= {"dose": f"{part.dose.value:.12g}", "dose_unit": part.dose.unit}
        yield common | cells
