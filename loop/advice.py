"""Is another round worth its wells? What to expect of it in a sentence, and when to think twice."""

import math

import numpy as np

from loop.domain.batch import AWAITING_DATA, Batch, Forecast
from loop.forecast import HITS
from loop.outlook import Came, came, chosen, fresh, hits_among, made, value_of
from loop.standing import Record

ROUNDS_BEFORE_ADVICE = 2
"""Chosen rounds that must have been measured before stopping is spoken of."""
TIMES_CHANCE = 2.0
"""Fewer hits than so many times chance's are worth a thought, if they may be no more than it."""
POOR_SHARE = 1 / 3
"""Fewer hits a well than this share of the best round's are worth a thought about stopping."""
_FEW = 10
_TOLD = 5


def advice(record: Record, batch: Batch) -> str | None:
    """What a batch that is not measured yet is expected to bring, and whether that is little.

    None without a forecast. Stopping is spoken of from the third chosen round on, by rules of
    thumb: fewer than twice the hits of chance are expected and the interval does not exclude as
    few as chance brings; fewer hits a well are expected than a third of what the best round
    brought; or, for an extreme, even the upper end of the gain is below the noise of one
    measurement.
    """
    told = batch.forecast
    if told is None:
        return None
    said = f"Another {_wells(batch)} expected {_expected(told)}"
    if told.random is not None:
        said += f"; as many at random would bring {number(told.random)}"
    why = _poor(record, batch, told)
    return f"{said}." if why is None else f"{said}. {why}"


def outlook(record: Record) -> str | None:
    """The advice of the open batch, or what came of the newest that has a forecast."""
    for batch in reversed(made(record)):
        found = came(record, batch)
        if found is not None:
            return " ".join([_looking_back(batch, found), *_trend(record, batch, found)])
        if batch.state in AWAITING_DATA and batch.forecast is not None:
            return advice(record, batch)
    return None


def against(found: Came) -> str:
    """What was expected and what came, such as `31 (22 to 40), came 27`."""
    return f"{span(found.forecast)}, came {_value(found.value, found.forecast.unit)}"


def span(told: Forecast) -> str:
    """A forecast in short, such as `31 (22 to 40)`."""
    if told.unit == HITS:
        return f"{number(told.value)} ({told.low:.0f} to {told.high:.0f})"
    return f"{told.value:.3g} ({told.low:.3g} to {told.high:.3g})"


def number(hits: float) -> str:
    """Hits, with a decimal where they are few."""
    return f"{hits:.1f}" if hits < _FEW else f"{hits:.0f}"


def _value(value: float, unit: str) -> str:
    return f"{value:.0f}" if unit == HITS else f"{value:.3g}"


def _looking_back(batch: Batch, found: Came) -> str:
    told = found.forecast
    part = "" if found.measured == found.planned else f" ({found.measured} measured)"
    what = "hits" if told.unit == HITS else f"{told.unit} past the best before".strip()
    said = f"Batch {batch.id}{part} was expected to bring {span(told)} {what} and brought "
    said += _value(found.value, told.unit)
    if told.random is not None:
        said += f"; as many at random would have brought {number(told.random)}"
    return said + "."


def _trend(record: Record, batch: Batch, found: Came) -> list[str]:
    """What the newest rounds brought, and whether the last of them brought little."""
    if found.forecast.unit != HITS:
        return []
    rounds = _chosen_before(record, batch.number + 1)
    if len(rounds) < ROUNDS_BEFORE_ADVICE:
        return []
    brought = [f"{hits_among(record, fresh(each))}" for each in rounds[-_TOLD:]]
    said = f"The newest rounds brought {', '.join(brought[:-1])} and {brought[-1]} hits."
    best, which = max((_rate(record, each), each.number) for each in rounds)
    if found.value / found.measured >= POOR_SHARE * best:
        return [said]
    return [said, _stop(f"A well of the last brought less than a third of one of round {which}")]


def _chosen_before(record: Record, number: int) -> list[Batch]:
    """Batches before one, by number, that an acquisition chose and that were measured."""
    return [
        each
        for each in made(record)
        if each.number < number and any(value_of(record, own) is not None for own in chosen(each))
    ]


def _wells(batch: Batch) -> str:
    count = len(fresh(batch))
    if batch.replicates > 1:
        return f"{count} perturbations are" if count > 1 else "perturbation is"
    return f"{count} wells are" if count > 1 else "well is"


def _expected(told: Forecast) -> str:
    if told.unit == HITS:
        half = (told.high - told.low) / 2
        # A width that reaches below nothing says less than the interval beside it.
        about = f" ± {number(half)}" if half < told.value else ""
        return (
            f"to bring {number(told.value)}{about} hits "
            f"({told.low:.0f} to {told.high:.0f} nine times in ten)"
        )
    unit = f" {told.unit}" if told.unit else ""
    return (
        f"to go {told.value:.3g}{unit} past the best so far "
        f"({told.low:.3g} to {told.high:.3g} nine times in ten)"
    )


def _poor(record: Record, batch: Batch, told: Forecast) -> str | None:
    """Why stopping is worth considering; None where it is not."""
    rounds = _chosen_before(record, batch.number)
    if len(rounds) < ROUNDS_BEFORE_ADVICE:
        return None
    if told.unit != HITS:
        noise = _noise(record, batch)
        if noise is None or told.high >= noise:
            return None
        return _stop(f"That is less than the noise of one measurement, {noise:.3g}")
    if told.random is not None and told.low <= told.random > told.value / TIMES_CHANCE:
        return _stop("That may be no more than chance brings")
    best, which = max((_rate(record, each), each.number) for each in rounds)
    if told.value / len(fresh(batch)) < POOR_SHARE * best:
        return _stop(
            f"A well of it promises less than a third of what one of round {which} brought"
        )
    return None


def _stop(why: str) -> str:
    return f"{why}: stopping, or another library, is worth considering."


def _rate(record: Record, batch: Batch) -> float:
    """Hits a measured perturbation."""
    measured = [each for each in fresh(batch) if value_of(record, each) is not None]
    return hits_among(record, measured) / len(measured)


def _noise(record: Record, batch: Batch) -> float | None:
    name = record.campaign.readout.name
    noises = [each.belief[name].aleatoric_sd for each in batch.choices if name in each.belief]
    return float(np.median(noises)) / math.sqrt(batch.replicates) if noises else None
