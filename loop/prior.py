"""Prior evidence: earlier screens, from tables to the arrays that a surrogate learns from."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import Combinations, FloatArray, PriorScreen
from loop.screen import Columns, Screen, read_screen
from loop.tables import Table

MOST_CONTEXTS = 4
"""A table of more contexts is pooled over them; with fewer, each context is a screen."""
LEAST_ROWS = 20
"""A context with fewer perturbations is left out: it teaches nothing."""


@dataclass(frozen=True, slots=True)
class PriorTable:
    """An earlier screen as its owner names it: a table, and what its columns mean.

    What is left out is as in the campaign, or found by `columns_of`.
    """

    table: Table
    readout: str | None = None
    perturbagens: tuple[str, ...] = ()
    doses: tuple[str, ...] = ()
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The screens that came of all tables, and what there is to know about them, in sentences."""

    screens: tuple[PriorScreen, ...] = ()
    notes: tuple[str, ...] = ()


def read_evidence(tables: Sequence[PriorTable], usual: Columns, ids: Sequence[str]) -> Evidence:
    """Read every table; `usual` are the campaign's own columns, `ids` its perturbagens in order.

    Raises:
        UnreadableFileError: If a table lacks a column, leaves open which one is the readout, or
            shares no perturbagen with the campaign.
    """
    screens: list[PriorScreen] = []
    notes: list[str] = []
    for each in tables:
        name, columns = each.table.name, columns_of(each, usual)
        screen = read_screen(each.table, columns)
        position = {known: at for at, known in enumerate(screen.perturbagens)}
        positions = np.array([position.get(known, -1) for known in ids], dtype=np.int64)
        shared = int((positions >= 0).sum())
        if not shared:
            msg = (
                f"{name} shares no perturbagen with the library: it calls them "
                f"{', '.join(screen.perturbagens[:3])}, the library {', '.join(list(ids)[:3])}; "
                "use the same ids in both, or leave this prior out."
            )
            raise UnreadableFileError(msg)
        found = [
            PriorScreen(
                f"{name}, {columns.readout}{label}", combinations, values, screen.doses, positions
            )
            for label, combinations, values in _by_context(screen)
        ]
        if not found:
            msg = (
                f"{name} has fewer than {LEAST_ROWS} perturbations in every context; too few "
                "to learn from: leave this prior out."
            )
            raise UnreadableFileError(msg)
        screens += found
        notes.append(
            f"Prior evidence {name}: {len(screen.values):,} perturbations with readout "
            f"{columns.readout!r}; it holds {shared} of {len(ids)} perturbagens of the library."
        )
        notes += [
            f"{name}: {note}" for note in (*_readings(each, columns, usual, screen), *screen.notes)
        ]
    return Evidence(tuple(screens), tuple(notes))


def _readings(prior: PriorTable, columns: Columns, usual: Columns, screen: Screen) -> Iterator[str]:
    """What was understood or left out without being asked to, in sentences."""
    first = columns.perturbagens[0]
    if not prior.perturbagens and first not in usual.perturbagens:
        yield f"its perturbagens were read from its first column, {first!r}, alone."
    rows = np.bincount(screen.combinations.contexts, minlength=len(screen.contexts))
    few = [name for name, count in zip(screen.contexts, rows, strict=True) if count < LEAST_ROWS]
    if few and len(screen.contexts) <= MOST_CONTEXTS:
        yield f"left out, with fewer than {LEAST_ROWS} perturbations each: {', '.join(few)}."


def columns_of(prior: PriorTable, usual: Columns) -> Columns:
    """What the columns of an earlier screen mean, where its owner did not say.

    Perturbagens, doses and context are called as in the campaign; a table without any of these
    perturbagen columns has them in its first column. The readout is the campaign's, or the only
    column of numbers, or the one whose name shares most words with the campaign's.

    Raises:
        UnreadableFileError: If that leaves open which column is the readout.
    """
    table = prior.table
    kept = [at for at, name in enumerate(usual.perturbagens) if table.has(name)]
    perturbagens = prior.perturbagens or tuple(usual.perturbagens[at] for at in kept)
    doses = prior.doses
    if not doses and usual.doses and not prior.perturbagens:
        wanted = tuple(usual.doses[at] for at in kept)
        doses = wanted if all(table.has(name) for name in wanted) else ()
    context = prior.context
    if context is None and usual.context is not None and table.has(usual.context):
        context = usual.context
    perturbagens = perturbagens or table.columns[:1]
    spoken_for = {*perturbagens, *doses, context}
    readout = prior.readout or _readout(table, usual.readout, spoken_for)
    return Columns(perturbagens, readout, doses, context)


def _readout(table: Table, wanted: str, spoken_for: set[str | None]) -> str:
    if table.has(wanted):
        return wanted
    numeric = [name for name in table.columns if name not in spoken_for and _measures(table, name)]
    if len(numeric) == 1:
        return numeric[0]
    words = _words(wanted)
    common = {name: len(words & _words(name)) for name in numeric}
    most = max(common.values(), default=0)
    nearest = [name for name, shared in common.items() if shared == most]
    if most == 0 or len(nearest) > 1:
        open_to = f"could be any of {', '.join(numeric)}" if numeric else "is no column of numbers"
        msg = (
            f"{table.name} has no column {wanted!r}, and its readout {open_to}; say which one "
            "(--prior-readout, or readout = under [[prior]])."
        )
        raise UnreadableFileError(msg)
    return nearest[0]


def _measures(table: Table, name: str) -> bool:
    """Whether a column holds numbers that are more than a yes or no."""
    seen: set[float] = set()
    for cell in table.column(name):
        if not cell:
            continue
        try:
            seen.add(float(cell))
        except ValueError:
            return False
    return len(seen) > 2


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower())) - {""}


def _by_context(screen: Screen) -> Iterator[tuple[str, Combinations, FloatArray]]:
    """A label, the perturbations without their context, and their values, for each screen."""
    here = screen.combinations
    count = len(screen.contexts)
    if count > MOST_CONTEXTS:
        yield f" (mean of {count} contexts)", *_pooled(here, screen.values)
        return
    for at, name in enumerate(screen.contexts):
        rows = here.contexts == at
        if rows.sum() >= LEAST_ROWS:
            label = f" in {name}" if count > 1 else ""
            yield label, _alone(here[rows]), screen.values[rows]


def _pooled(combinations: Combinations, values: FloatArray) -> tuple[Combinations, FloatArray]:
    keys = np.concatenate([combinations.components, combinations.levels], axis=1)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    means = np.bincount(group, weights=values) / np.bincount(group)
    return _alone(combinations[first]), means


def _alone(combinations: Combinations) -> Combinations:
    return Combinations(
        combinations.components, combinations.levels, np.zeros_like(combinations.contexts)
    )
