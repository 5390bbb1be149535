"""Use case: write the report of a campaign."""

import errno
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from loop.advice import outlook, span
from loop.domain.batch import Choice, PredictedReadout
from loop.domain.errors import StorageFullError, UnreadableFileError
from loop.domain.perturbation import Perturbation
from loop.honesty import tails, warnings
from loop.outlook import kept
from loop.provided import Services
from loop.report import figures
from loop.standing import Record, read_record
from loop.status import RoundLine, round_lines

_PLATES_SHOWN = 12
_HITS_SHOWN = 30


def write_report(services: Services, name: str, output: Path) -> Path:
    """Write one HTML page that needs nothing else: plots inside, no script, no network.

    Raises:
        CampaignNotFoundError: If there is no such campaign.
        UnreadableFileError: If the page cannot be written there.
        StorageFullError: If the disk is full; what was there stays.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
        log = work.log.of(name)
    lines = round_lines(record)
    environment = Environment(
        loader=PackageLoader("loop.report", "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(
        campaign=record.campaign,
        record=record,
        notes=[*record.observed.notes, *warnings(record), *_tails(record)],
        outlook=outlook(record),
        forecasts_kept=kept(record),
        rounds=lines,
        span=span,
        two_sided=_two_sided(record),
        hits=_top_hits(record),
        open_batch=record.open_batch,
        plots=_plots(record, lines),
        plates=_plates(record),
        plates_in_all=sum(len(each.plates) for each in record.dispatches),
        log=log[-20:],
        made_at=services.clock.now(),
    )
    if not output.name or output.is_dir():
        msg = f"{str(output)!r} is a folder; name a file in it, such as report.html."
        raise UnreadableFileError(msg)
    partial = output.with_name(output.name + ".partial")
    try:
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            msg = f"{output} was not written: the disk is full; make room and try again."
            raise StorageFullError(msg) from error
        reason = (error.strerror or str(error)).lower()
        msg = f"{output} could not be written: {reason}; name a file in a folder that exists."
        raise UnreadableFileError(msg) from error
    return output


def _tails(record: Record) -> list[str]:
    sentence = tails(record.champion)
    return [] if sentence is None else [sentence]


def _two_sided(record: Record) -> bool:
    readout = record.campaign.readout
    return math.isfinite(readout.low) and math.isfinite(readout.high)


def _plots(record: Record, lines: Sequence[RoundLine]) -> list[tuple[str, str, Markup]]:
    """Title, explanation and SVG of each plot that there are data for."""
    readout = record.campaign.readout
    plots: list[tuple[str, str, str]] = []
    if record.tested and readout.has_threshold:
        why = "The band is where random wells would lie, judged by the audit wells (90 %)."
        plots.append(("Progress", why, figures.progress_curve(record)))
    elif record.tested:
        plots.append(("Progress", "The best value found so far.", figures.best_curve(record)))
    if any(line.forecast is not None for line in lines):
        why = "What each round was expected to bring before it was measured, and what came."
        plots.append(("Forecasts", why, figures.forecast_bars(lines)))
    points = figures.predicted_points(record)
    if points:
        why = "Each point was predicted before it was measured; bars are 90 % intervals."
        plots.append(
            (
                "Belief against measurement",
                why,
                figures.belief_against_measurement(points, readout),
            )
        )
        why = "On the dashed line the surrogate keeps its promises; above it is too cautious."
        plots.append(("Calibration", why, figures.calibration_curve(points)))
    # The SVG is matplotlib's own, from numbers and escaped text; nothing of the user is markup.
    return [(title, why, Markup(svg)) for title, why, svg in plots]


def _plates(record: Record) -> list[Markup]:
    readout = record.campaign.readout
    plates = [plate for dispatch in record.dispatches for plate in dispatch.plates]
    shown = []
    for plate in plates[-_PLATES_SHOWN:]:
        values = {
            well: value
            for (where, well, name), value in record.observed.corrected.items()
            if where == plate.id and name == readout.name
        }
        shown.append(Markup(figures.plate_map(plate, values, readout)))
    return shown


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit, and how it came to be measured: the round, what chose it, what was believed before."""

    perturbation: Perturbation
    value: float
    replicates: int
    round: int | None
    choice: Choice | None
    belief: PredictedReadout | None


def _top_hits(record: Record) -> list[Hit]:
    """The hits farthest past a threshold."""
    readout = record.campaign.readout
    chosen = {
        c.perturbation.key: (batch.number, c) for batch in record.batches for c in batch.choices
    }
    rows = []
    for each in record.hits:
        found = record.observed.by_key[each.key][readout.name]
        past = max(found.mean - readout.high, readout.low - found.mean)
        number, choice = chosen.get(each.key, (None, None))
        belief = None if choice is None else choice.belief.get(readout.name)
        rows.append((past, Hit(each, found.mean, found.replicates, number, choice, belief)))
    rows.sort(key=lambda row: (-row[0], row[1].perturbation.key))
    return [hit for _, hit in rows[:_HITS_SHOWN]]
