"""Read a measured table: which columns are perturbagens, doses, context, readout and hits."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.representation import log_doses
from loop.tables import Table

_GENOTYPE = re.compile(r"[01]{2,}")
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns mean what; `more_readouts` stand beside the one that the goal is about."""

    perturbagens: tuple[str, ...]
    readout: str
    doses: tuple[str, ...] = ()
    context: str | None = None
    hit: str | None = None
    more_readouts: tuple[str, ...] = ()

    @property
    def readouts(self) -> tuple[str, ...]:
        """All of them, the goal's first."""
        return (self.readout, *self.more_readouts)


@dataclass(frozen=True, slots=True)
class Measured:
    """One further readout of N perturbations.

    Means over replicates, NaN where the cells were blank; how many wells are behind each, 0
    there; the SD between them, NaN for fewer than two. Each of shape (N,).
    """

    values: FloatArray
    replicates: IntArray
    spread: FloatArray


@dataclass(frozen=True)
class Screen:
    """A measured table: N distinct perturbations, each measured at least once.

    Attributes:
        perturbagens: Ids, sorted; positions in `combinations` refer to them.
        contexts: Names, sorted.
        doses: log10 of each level, shape (P, L), NaN past a perturbagen's last; 0 without doses.
        combinations: The N perturbations.
        values: Means over replicates, shape (N,); NaN where the table's cells were blank.
        replicates: Rows behind each mean, shape (N,).
        spread: SD between replicates, shape (N,); NaN for one.
        hits: The table's own verdict, shape (N,), where a hit column was named.
        notes: What was left out or understood, in sentences.
        further: The readouts after the first, in the order named.
    """

    perturbagens: tuple[str, ...]
    contexts: tuple[str, ...]
    doses: FloatArray
    combinations: Combinations
    values: FloatArray
    replicates: IntArray
    spread: FloatArray
    hits: BoolArray | None
    notes: tuple[str, ...]
    further: tuple[Measured, ...] = ()

    @cached_property
    def table(self) -> Measured:
        """All m readouts side by side, the first one first, each array of shape (N, m)."""
        every = (Measured(self.values, self.replicates, self.spread), *self.further)
        return Measured(
            np.stack([each.values for each in every], axis=1),
            np.stack([each.replicates for each in every], axis=1),
            np.stack([each.spread for each in every], axis=1),
        )

    @cached_property
    def identities(self) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        """A number that names each perturbation for life, shape (N,)."""
        rows = zip(
            self.combinations.components.tolist(),
            self.combinations.levels.tolist(),
            self.combinations.contexts.tolist(),
            strict=True,
        )
        return np.array([_identity(self, *row) for row in rows], dtype=np.uint64)


def _identity(screen: Screen, components: list[int], levels: list[int], context: int) -> int:
    parts = [
        f"{screen.perturbagens[each]}@{level}"
        for each, level in zip(components, levels, strict=True)
        if each >= 0
    ]
    key = "+".join(parts) + "|" + screen.contexts[context]
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])


_Part = tuple[str, float | None]
_Key = tuple[tuple[_Part, ...], str]


@dataclass(frozen=True, slots=True)
class _Well:
    """One row of the table: its value, those of further readouts, and whether it says hit."""

    value: float
    further: tuple[float | None, ...]
    hit: bool


def read_screen(table: Table, columns: Columns) -> Screen:
    """Read a measured table.

    A blank cell means fewer perturbagens, a dose of zero none of it. One column may hold several
    ids joined by '+', or strings of 0 and 1 of equal length, read as that many factors. Rows with
    the same perturbation are replicates.

    Raises:
        UnreadableFileError: If a column is missing, or a readout or dose is not a number.
        CampaignFileError: If no perturbagen columns are named, or the dose columns do not match.
    """
    if not columns.perturbagens:
        msg = "--perturbagens names no column; name one or more, such as gene_a,gene_b."
        raise CampaignFileError(msg)
    if columns.doses and len(columns.doses) != len(columns.perturbagens):
        msg = (
            f"--dose names {len(columns.doses)} columns but --perturbagens "
            f"{len(columns.perturbagens)}; name one dose column for each."
        )
        raise CampaignFileError(msg)
    notes: list[str] = []
    parts = _parts(table, columns, notes)
    contexts = table.column(columns.context) if columns.context else [_ALL] * len(table.rows)
    values = table.numbers(columns.readout)
    hits = table.numbers(columns.hit) if columns.hit else [None] * len(values)
    further = [table.numbers(name) for name in columns.more_readouts]
    beside = list(zip(*further, strict=True)) if further else [()] * len(values)
    folded: dict[_Key, list[_Well]] = {}
    blank = twice = 0
    for row, context, value, more, hit in zip(parts, contexts, values, beside, hits, strict=True):
        if value is None:
            blank += 1
        elif len({name for name, _ in row}) < len(row):
            twice += 1
        else:
            key = (tuple(sorted(row)), context)
            folded.setdefault(key, []).append(_Well(value, more, bool(hit)))
    if blank:
        notes.append(f"{blank} rows without a value of {columns.readout!r} were left out.")
    if twice:
        notes.append(f"{twice} rows that name a perturbagen twice were left out.")
    if not folded:
        msg = f"{table.name} has no row with a value of {columns.readout!r}; check the column."
        raise UnreadableFileError(msg)
    replicates = sum(len(each) - 1 for each in folded.values())
    if replicates:
        notes.append(f"{replicates} rows repeat a perturbation and were folded as replicates.")
    return _screen(folded, columns, tuple(notes))


def _parts(table: Table, columns: Columns, notes: list[str]) -> Iterable[tuple[_Part, ...]]:
    cells = [table.column(name) for name in columns.perturbagens]
    if columns.doses:
        doses = [table.numbers(name) for name in columns.doses]
        return (
            tuple(
                (name, _dose(table.name, line, name, dose))
                for name, dose in zip(names, levels, strict=True)
                if name and dose != 0
            )
            for line, (names, levels) in enumerate(
                zip(zip(*cells, strict=True), zip(*doses, strict=True), strict=True), 2
            )
        )
    only = cells[0]
    if len(cells) == 1 and len(set(map(len, only))) == 1 and all(map(_GENOTYPE.fullmatch, only)):
        width = len(only[0])
        notes.append(
            f"Column {columns.perturbagens[0]!r} holds {width} characters 0 or 1: "
            f"read as {width} factors, s01 to s{width:02d}."
        )
        return (
            tuple((f"s{at:02d}", None) for at, bit in enumerate(text, 1) if bit == "1")
            for text in only
        )
    return (
        tuple((name, None) for cell in row for name in _names(cell))
        for row in zip(*cells, strict=True)
    )


def _names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split("+") if name.strip()]


def _dose(table: str, line: int, name: str, dose: float | None) -> float:
    if dose is None or dose < 0:
        msg = f"{table}, line {line}: {name!r} needs a dose of zero or more; it has {dose}."
        raise UnreadableFileError(msg)
    return dose


def _screen(folded: dict[_Key, list[_Well]], columns: Columns, notes: tuple[str, ...]) -> Screen:
    keys = list(folded)
    levels_of: dict[str, set[float]] = {}
    for row, _ in keys:
        for name, dose in row:
            levels_of.setdefault(name, set()).update(() if dose is None else (dose,))
    perturbagens = tuple(sorted(levels_of))
    contexts = tuple(sorted({context for _, context in keys}))
    levels = {name: sorted(each) for name, each in levels_of.items()}
    first = _measured([well.value for well in wells] for wells in folded.values())
    further = [
        _measured(
            [value for well in wells if (value := well.further[at]) is not None]
            for wells in folded.values()
        )
        for at in range(len(columns.more_readouts))
    ]
    return Screen(
        perturbagens,
        contexts,
        log_doses([levels[name] for name in perturbagens]),
        _combinations(keys, perturbagens, contexts, levels),
        first.values,
        first.replicates,
        first.spread,
        np.array([any(well.hit for well in wells) for wells in folded.values()])
        if columns.hit is not None
        else None,
        notes,
        tuple(further),
    )


def _measured(perturbations: Iterable[list[float]]) -> Measured:
    """The replicates of each perturbation, folded."""
    known = list(perturbations)
    return Measured(
        np.array([np.mean(each) if each else np.nan for each in known], dtype=np.float64),
        np.array([len(each) for each in known], dtype=np.int64),
        np.array([np.std(each, ddof=1) if len(each) > 1 else np.nan for each in known]),
    )


def _combinations(
    keys: list[_Key],
    perturbagens: tuple[str, ...],
    contexts: tuple[str, ...],
    levels: dict[str, list[float]],
) -> Combinations:
    position = {name: at for at, name in enumerate(perturbagens)}
    place = {name: at for at, name in enumerate(contexts)}
    level = {(name, dose): at for name, doses in levels.items() for at, dose in enumerate(doses)}
    slots = max(1, *(len(row) for row, _ in keys)) if keys else 1
    components = np.full((len(keys), slots), -1, dtype=np.int64)
    at_level = np.full_like(components, -1)
    for row, (parts, _) in enumerate(keys):
        for slot, (name, dose) in enumerate(sorted(parts, key=lambda part: position[part[0]])):
            components[row, slot] = position[name]
            at_level[row, slot] = 0 if dose is None else level[name, dose]
    where = np.array([place[context] for _, context in keys], dtype=np.int64)
    return Combinations(components, at_level, where)
