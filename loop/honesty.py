"""Does the surrogate keep its promises, and does the lab? Sentences where one of them does not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from loop.calibration import LEVEL
from loop.domain.dispatch import Dispatch
from loop.domain.plate import Role
from loop.domain.snapshot import Snapshot
from loop.rounds import judged
from loop.standing import Record

ENOUGH_CHOSEN = 40
NOISE_FACTOR = 1.5
_SURE = 0.01
_VERY_SURE = 0.001
_LEAST_FREEDOM = 5
_LEAST_SHIFT = 0.5
_NORMAL_FAR = 0.0027
_LEAST_FAR = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """How many of so many predicted wells the 90 % intervals held."""

    wells: int
    inside: int

    @property
    def share(self) -> float | None:
        """The coverage; None of nothing."""
        return self.inside / self.wells if self.wells else None

    @property
    def too_few(self) -> bool:
        """Whether honest intervals would hold so few once in a hundred times or less."""
        from scipy.stats import binom

        return bool(self.wells) and float(binom.cdf(self.inside, self.wells, LEVEL)) < _SURE


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of the newest wells, as predicted before they were measured.

    Chosen and audit wells are told apart: chosen ones lie where a large effect was predicted,
    and intervals that hold elsewhere may fail there.
    """

    chosen: Kept
    audit: Kept


@dataclass(frozen=True, slots=True)
class Drift:
    """How far reference designs of the newest batch lie from those of earlier ones.

    Attributes:
        batch: The newest batch with reference values.
        shift: Mean difference, in the readout's unit.
        noise: SD of one reference well, from wells of the same design within a batch and
            between earlier batches.
        errors: The shift in its standard errors.
        wells: Reference wells of the newest batch.
        significant: Whether it is more than half the noise, and chance would bring as much
            once in a thousand batches or less.
    """

    batch: str
    shift: float
    noise: float
    errors: float
    wells: int
    significant: bool


def coverage(record: Record) -> Coverage:
    """Of the newest batches that together hold 40 chosen wells, or of all there are."""
    kept = {True: Kept(0, 0), False: Kept(0, 0)}
    for batch in reversed(record.batches):
        if kept[False].wells >= ENOUGH_CHOSEN:
            break
        for row in judged(batch, record.observed, record.campaign.readout):
            if row.belief is not None:
                before = kept[row.audit]
                kept[row.audit] = Kept(before.wells + 1, before.inside + row.inside)
    return Coverage(kept[False], kept[True])


def warnings(record: Record) -> tuple[str, ...]:
    """A sentence for each promise that is not kept, by the surrogate or by the lab."""
    found = coverage(record)
    told = []
    for kept, which, advice in (
        (
            found.chosen,
            "chosen wells",
            "where large effects are predicted, trust the ranking more than the numbers, and "
            "retrain",
        ),
        (found.audit, "audit wells", "intervals are too narrow everywhere; retrain"),
    ):
        if kept.too_few:
            told.append(
                f"Beware: 90 % intervals held {kept.inside} of the newest {kept.wells} {which} "
                f"({kept.share:.0%}): {advice}."
            )
    noise = noise_warning(record.champion)
    moved = drift(record.dispatches, record.observed.corrected, record.campaign.readout.name)
    if noise is not None:
        told.append(noise)
    if moved is not None and moved.significant:
        told.append(
            f"Beware: the {moved.wells} reference wells of {moved.batch} lie "
            f"{abs(moved.shift):.3g} {'higher' if moved.shift > 0 else 'lower'} than those of "
            f"earlier batches (noise of one well {moved.noise:.3g}): the assay may have drifted; "
            "look at its plates before comparing its values with older ones."
        )
    return tuple(told)


def noise_warning(champion: Snapshot | None) -> str | None:
    """Whether the noise that a surrogate believes in is far from that between replicates.

    None where there are fewer than ten degrees of freedom between replicates, and where the two
    differ by less than a factor of 1.5.
    """
    scores = champion.scores if champion is not None else {}
    believed, measured = scores.get("noise_sd"), scores.get("replicate_sd")
    if not believed or not measured:
        return None
    if 1 / NOISE_FACTOR <= believed / measured <= NOISE_FACTOR:
        return None
    more, effect = ("more", "narrow") if believed > measured else ("less", "wide")
    return (
        f"Beware: the surrogate takes the noise of one well for {believed:.3g}, {more} than "
        f"replicates show ({measured:.3g}): it mistakes noise and doubt for one another, and "
        f"intervals for the mean of several wells come out too {effect}."
    )


def tails(champion: Snapshot | None) -> str | None:
    """A sentence where far more audit wells are far off than a normal belief would allow."""
    from scipy.stats import binom

    scores = champion.scores if champion is not None else {}
    share, wells = scores.get("far_out"), scores.get("audit_wells")
    if share is None or not wells:
        return None
    far, of = round(share * wells), round(wells)
    if far < _LEAST_FAR or float(binom.sf(far - 1, of, _NORMAL_FAR)) > _VERY_SURE:
        return None
    return (
        f"Heavy tails: {far} of {of} audit wells lie more than three SDs from what was predicted "
        f"(a normal belief allows {of * _NORMAL_FAR:.1f}). The intervals allow for it; confirm a "
        "single surprising well before building on it."
    )


def drift(
    dispatches: Iterable[Dispatch], corrected: Mapping[tuple[str, str, str], float], readout: str
) -> Drift | None:
    """Compare reference designs of the newest batch with those of earlier ones.

    None where no design was measured before, or where fewer than five degrees of freedom are
    left to tell the noise.

    Args:
        dispatches: In the order they were made.
        corrected: Normalised value of each well, by plate, well and readout.
        readout: Which one.
    """
    from scipy.stats import t as student

    batches = [(each.batch, _references(each, corrected, readout)) for each in dispatches]
    batches = [(batch, values) for batch, values in batches if values]
    if len(batches) < 2:
        return None
    newest, now = batches[-1]
    before: dict[str, list[float]] = defaultdict(list)
    for _, values in batches[:-1]:
        for key, numbers in values.items():
            before[key] += numbers
    shared = [key for key in now if key in before]
    groups = [*before.values(), *now.values()]
    freedom = sum(len(group) - 1 for group in groups)
    if not shared or freedom < _LEAST_FREEDOM:
        return None
    noise = float(np.sqrt(sum(np.var(group) * len(group) for group in groups) / freedom))
    shift = float(np.mean([np.mean(now[key]) - np.mean(before[key]) for key in shared]))
    parts = sum(1 / len(now[key]) + 1 / len(before[key]) for key in shared)
    error = noise * float(np.sqrt(parts)) / len(shared)
    errors = shift / error if error > 0 else float(np.sign(shift)) * np.inf
    chance = 2 * float(student.sf(abs(errors), freedom)) if shift else 1.0
    return Drift(
        newest,
        shift,
        noise,
        errors,
        sum(len(now[key]) for key in shared),
        chance < _VERY_SURE and abs(shift) > _LEAST_SHIFT * noise,
    )


def _references(
    dispatch: Dispatch, corrected: Mapping[tuple[str, str, str], float], readout: str
) -> dict[str, list[float]]:
    values: dict[str, list[float]] = defaultdict(list)
    for plate in dispatch.plates:
        for well in plate.wells:
            value = corrected.get((plate.id, well.name, readout))
            if well.role is Role.REFERENCE and well.perturbation and value is not None:
                values[well.perturbation.key].append(value)
    return dict(values)
