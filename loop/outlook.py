"""What a campaign's batches promise before they are measured, and what came of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from loop.domain.batch import Batch, BatchState, Choice, ChosenBy, Forecast
from loop.domain.goal import Goal, smaller_is_better
from loop.forecast import HITS, Promise, by_lot, chances, forecast_gain, forecast_hits
from loop.ports.arrays import FloatArray
from loop.standing import Record

GUESSED = (
    "What as many at random would bring is the surrogate's guess until 20 audit wells are measured."
)
_STREAM = 2
_EXTREMES = (Goal.MAXIMIZE, Goal.MINIMIZE)
_TURNED_DOWN = (BatchState.REJECTED, BatchState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a batch with a forecast.

    `value` is hits, or the gain over the best before; `planned` and `measured` count the
    batch's perturbations, reference designs left out; `forecast` is what was expected of as many
    as were measured (a gain is left as it was); `inside` whether its 90 % interval held.
    """

    value: float
    planned: int
    measured: int
    forecast: Forecast
    inside: bool


def with_forecast(record: Record, batch: Batch, values: FloatArray) -> Batch:
    """The batch with its forecast, if its goal has one and there is anything to go by.

    Args:
        record: All that is known before it is measured.
        batch: As it was chosen, with beliefs.
        values: Of its choices together in each of S joint draws, shape (S,); may be empty.
    """
    rng = np.random.default_rng([batch.seed, _STREAM])
    if record.campaign.goal in _EXTREMES:
        return replace(batch, forecast=_gain(record, batch, values, rng))
    if record.campaign.goal is not Goal.FIND_HITS:
        return batch
    lot = [each for each in batch.choices if each.chosen_by is ChosenBy.AUDIT]
    likely = _chances(record, batch, chosen(batch))
    if len(likely) < len(chosen(batch)):
        return batch
    audit = record.audit_keys.intersection(each.key for each in record.tested)
    hits = audit.intersection(each.key for each in record.hits)
    rate = by_lot(len(hits), len(audit), _chances(record, batch, lot))
    told = forecast_hits(likely, len(lot), rate, values, promises(record), rng)
    guessed = told is not None and rate is not None and not rate.measured
    notes = (*batch.notes, GUESSED) if guessed else batch.notes
    return replace(batch, forecast=told, notes=notes)


def promises(record: Record) -> list[Promise]:
    """What the chosen wells of each measured round promised, and what they brought."""
    found = []
    for batch in made(record):
        measured = [each for each in chosen(batch) if value_of(record, each) is not None]
        likely = _chances(record, batch, measured)
        if measured and len(likely) == len(measured):
            found.append(Promise(float(likely.sum()), hits_among(record, measured)))
    return found


def came(record: Record, batch: Batch) -> Came | None:
    """What a batch brought; None without a forecast, and while nothing of it is measured."""
    planned = fresh(batch)
    measured = [each for each in planned if value_of(record, each) is not None]
    told = batch.forecast
    if told is None or not measured:
        return None
    if told.unit == HITS:
        told = _for_share(told, len(measured) / len(planned))
        value = float(hits_among(record, measured))
    else:
        value = _gained(record, batch, measured)
    inside = told.low <= value <= told.high
    return Came(value, len(planned), len(measured), told, inside)


def kept(record: Record) -> tuple[int, int]:
    """How many forecasts' 90 % intervals held what came, and of how many."""
    told = [found.inside for batch in made(record) if (found := came(record, batch)) is not None]
    return sum(told), len(told)


def fresh(batch: Batch) -> list[Choice]:
    """What was not measured before: all but reference designs."""
    return [each for each in batch.choices if each.chosen_by is not ChosenBy.REFERENCE]


def chosen(batch: Batch) -> list[Choice]:
    """What was neither drawn by lot nor a reference."""
    return [each for each in fresh(batch) if each.chosen_by is not ChosenBy.AUDIT]


def value_of(record: Record, choice: Choice) -> float | None:
    """What was measured of the goal's readout."""
    return record.observed.value(choice.perturbation.key, record.campaign.readout.name)


def hits_among(record: Record, choices: Iterable[Choice]) -> int:
    """How many of some choices are hits, as far as they are measured."""
    values = [value_of(record, each) for each in choices]
    return sum(value is not None and record.campaign.readout.is_hit(value) for value in values)


def made(record: Record) -> list[Batch]:
    """Batches that were not turned down."""
    return [batch for batch in record.batches if batch.state not in _TURNED_DOWN]


def _for_share(told: Forecast, share: float) -> Forecast:
    return Forecast(
        told.value * share,
        math.floor(told.low * share),
        math.ceil(told.high * share),
        None if told.random is None else told.random * share,
        told.unit,
    )


def _chances(record: Record, batch: Batch, choices: Iterable[Choice]) -> FloatArray:
    """The chance of a hit of each choice that there is a belief about."""
    mean, sd = _moments(record, batch, choices)
    return chances(mean, sd, record.campaign.readout)


def _moments(
    record: Record, batch: Batch, choices: Iterable[Choice]
) -> tuple[FloatArray, FloatArray]:
    """Mean and calibrated SD of the mean of a choice's wells, of those with a belief."""
    name = record.campaign.readout.name
    told = [each.belief[name] for each in choices if name in each.belief]
    epistemic = np.array([each.epistemic_sd for each in told])
    noise = np.array([each.aleatoric_sd for each in told]) / math.sqrt(batch.replicates)
    return np.array([each.mean for each in told]), np.hypot(epistemic, noise)


def _gain(
    record: Record, batch: Batch, values: FloatArray, rng: np.random.Generator
) -> Forecast | None:
    mean, sd = _moments(record, batch, fresh(batch))
    best = _best_before(record, batch)
    if best is None or len(mean) < len(fresh(batch)):
        return None
    readout = record.campaign.readout
    down = smaller_is_better(record.campaign.goal, readout)
    return forecast_gain(mean, sd, best, down, values, readout.unit, rng)


def _gained(record: Record, batch: Batch, measured: Iterable[Choice]) -> float:
    before, now = _best_before(record, batch), _best(record, measured)
    if before is None or now is None:
        return 0.0
    down = smaller_is_better(record.campaign.goal, record.campaign.readout)
    return max(before - now if down else now - before, 0.0)


def _best_before(record: Record, batch: Batch) -> float | None:
    """The best value among the batches before this one."""
    earlier = [each for each in made(record) if each.number < batch.number]
    return _best(record, [choice for each in earlier for choice in each.choices])


def _best(record: Record, choices: Iterable[Choice]) -> float | None:
    values = [value for each in choices if (value := value_of(record, each)) is not None]
    if not values:
        return None
    down = smaller_is_better(record.campaign.goal, record.campaign.readout)
    return min(values) if down else max(values)
