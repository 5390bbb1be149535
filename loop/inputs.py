"""From stored input files to the library and the representations they describe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from loop.campaign_file import CampaignFile, parse_campaign
from loop.domain.errors import DoseError, InvalidError, UnreadableFileError
from loop.domain.library import Library
from loop.domain.perturbation import Component, Dose, Perturbagen, Perturbation
from loop.embeddings import Coverage, align, coverage, parse_embeddings
from loop.ports.arrays import FloatArray, Representations
from loop.tables import Table, parse_table

_OWN_COLUMNS = ("id", "kind", "cost", "doses", "dose_unit")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a campaign may choose from, and what is known of it beforehand."""

    library: Library
    representations: Representations
    coverage: Coverage | None


def read_inputs(library_files: dict[str, bytes], embedding_files: dict[str, bytes]) -> Inputs:
    """Build library and representations from the files that `init` stored.

    Raises:
        InvalidError: If a file is malformed or contradicts another; the sentence names it.
    """
    file = parse_campaign(library_files["campaign"].decode(), "campaign file")
    contexts, context_vectors = _contexts(file, library_files)
    perturbagens = read_perturbagens(
        parse_table(library_files["perturbagens"], file.library.perturbagens)
    )
    order = file.library.order
    library = Library(
        perturbagens,
        contexts,
        (order,) if isinstance(order, int) else order,
        _forbidden(file, library_files),
    )
    if "allowed" in library_files:
        allowed = _allowed(
            parse_table(library_files["allowed"], file.library.allowed or "allowed"), library
        )
        orders = tuple(sorted({each.order for each in allowed}))
        library = replace(library, allowed=allowed, orders=orders)
    ids = [each.id for each in perturbagens]
    vectors, known = np.zeros((len(ids), 0)), np.zeros(len(ids), dtype=np.bool_)
    covered = None
    if embedding_files:
        name = file.library.embeddings or "embeddings"
        embeddings = parse_embeddings(embedding_files["embeddings"], name, file.library.views)
        covered = coverage(embeddings, ids, name)
        vectors, known = align(embeddings, ids)
    return Inputs(
        library,
        Representations(
            vectors,
            known,
            context_vectors,
            log_doses([[dose.value for dose in each.doses] for each in perturbagens]),
        ),
        covered,
    )


def read_perturbagens(table: Table) -> tuple[Perturbagen, ...]:
    """Read the perturbagen table: id, and optionally kind, cost, doses and dose_unit.

    `doses` lists levels separated by blanks or slashes, as in `0.1 1 10`, in `dose_unit`.

    Raises:
        UnreadableFileError: If a column is missing or a cost is not a number.
        DoseError: If doses have no unit or are no positive numbers.
    """
    ids = table.column("id")
    kinds = table.column("kind") if table.has("kind") else ["gene"] * len(ids)
    costs = table.numbers("cost") if table.has("cost") else [1.0] * len(ids)
    doses = table.column("doses") if table.has("doses") else [""] * len(ids)
    units = table.column("dose_unit") if table.has("dose_unit") else [""] * len(ids)
    for name, cost in zip(ids, costs, strict=True):
        if cost is not None and cost < 0:
            msg = f"{table.name}: perturbagen {name!r} costs {cost:g}; a cost is zero or more."
            raise UnreadableFileError(msg)
    further = [(at, each) for at, each in enumerate(table.columns) if each not in _OWN_COLUMNS]
    return tuple(
        Perturbagen(
            name,
            kind or "gene",
            1.0 if cost is None else cost,
            _doses(name, levels, unit),
            {column: row[at] for at, column in further},
        )
        for name, kind, cost, levels, unit, row in zip(
            ids, kinds, costs, doses, units, table.rows, strict=True
        )
    )


def _doses(name: str, levels: str, unit: str) -> tuple[Dose, ...]:
    words = levels.replace("/", " ").split()
    if words and not unit:
        msg = (
            f"Perturbagen {name!r} has doses {levels!r} but no unit; "
            "add a column dose_unit, such as uM."
        )
        raise DoseError(msg)
    try:
        return tuple(sorted(Dose(float(word), unit) for word in words))
    except ValueError as error:
        msg = f"Perturbagen {name!r} has doses {levels!r}; expected numbers such as '0.1 1 10'."
        raise DoseError(msg) from error


def _contexts(file: CampaignFile, files: dict[str, bytes]) -> tuple[tuple[str, ...], FloatArray]:
    if isinstance(file.library.contexts, tuple):
        names = file.library.contexts
        return names, np.eye(len(names))
    return read_contexts(files["contexts"], file.library.contexts)


def read_contexts(content: bytes, name: str) -> tuple[tuple[str, ...], FloatArray]:
    """Read a contexts file: ids in the first column, then numbers (their URs), if any."""
    table = parse_table(content, name)
    names = tuple(row[0] for row in table.rows)
    if len(table.columns) == 1:
        return names, np.eye(len(names))
    return names, np.asarray(parse_embeddings(content, name).vectors)


def _forbidden(file: CampaignFile, files: dict[str, bytes]) -> frozenset[frozenset[str]]:
    if "forbidden" not in files:
        return frozenset()
    table = parse_table(files["forbidden"], file.library.forbidden or "forbidden")
    return frozenset(frozenset(cell for cell in row if cell) for row in table.rows)


def _allowed(table: Table, library: Library) -> tuple[Perturbation, ...]:
    """Read a list of candidates: one column a component (`id` or `id@dose`), perhaps a context.

    A single column called `perturbation` holds canonical keys instead.
    """
    perturbations = [_allowed_row(table, row, library) for row in table.rows]
    for line, each in enumerate(perturbations, 2):
        try:
            library.check(each)
        except InvalidError as error:
            msg = f"{table.name}, row {line}: {error}"
            raise UnreadableFileError(msg) from error
    return tuple({each.key: each for each in perturbations}.values())


def _allowed_row(table: Table, row: Sequence[str], library: Library) -> Perturbation:
    cells = dict(zip(table.columns, row, strict=True))
    if "perturbation" in cells:
        return Perturbation.parse(cells["perturbation"])
    context = cells.pop("context", library.contexts[0])
    return Perturbation(tuple(Component.parse(cell) for cell in cells.values() if cell), context)


def log_doses(levels: Sequence[Sequence[float]]) -> FloatArray:
    """log10 of each level of each perturbagen, shape (P, L), NaN past the last; 0 without doses."""
    table = np.full((len(levels), max(1, *map(len, levels))), np.nan)
    table[:, 0] = 0.0
    for row, amounts in enumerate(levels):
        if amounts:
            table[row, : len(amounts)] = np.log10(amounts)
    return table
