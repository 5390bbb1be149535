"""From stored input files to the library and the representations they describe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loop.campaign_file import CampaignFile, parse_campaign
from loop.domain.errors import DoseError, InvalidError, UnreadableFileError
from loop.domain.library import Library
from loop.domain.perturbation import Component, Dose, Perturbagen, Perturbation
from loop.exclusive import exclusive_pairs
from loop.ports.arrays import PriorScreen, Representations
from loop.prior import Evidence, PriorTable, read_evidence
from loop.representation import (
    RepresentationSource,
    TableView,
    context_rows,
    context_table,
    log_doses,
    open_source,
    represent,
)
from loop.screen import Columns
from loop.tables import Table, parse_table

_OWN_COLUMNS = ("id", "kind", "cost", "doses", "dose_unit")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a campaign may choose from, and what is known of it beforehand.

    Attributes:
        library: What may be chosen.
        representations: URs of what the library holds.
        source: Where URs of perturbagens come from; it answers for others too.
        prior: Earlier screens that its surrogates learn from.
        notes: What there is to know about URs of contexts and about prior evidence, in sentences.
    """

    library: Library
    representations: Representations
    source: RepresentationSource
    prior: tuple[PriorScreen, ...]
    notes: tuple[str, ...]


def read_inputs(library_files: dict[str, bytes], embedding_files: dict[str, bytes]) -> Inputs:
    """Build library and representations from the files that `init` stored.

    Raises:
        InvalidError: If a file is malformed or contradicts another; the sentence names it.
    """
    file = parse_campaign(library_files["campaign"].decode(), "campaign file")
    contexts, context_views = _contexts(file, library_files)
    perturbagens = read_perturbagens(
        parse_table(library_files["perturbagens"], file.library.perturbagens)
    )
    order = file.library.order
    library = Library(
        perturbagens,
        contexts,
        (order,) if isinstance(order, int) else order,
        _forbidden(file, library_files) | exclusive_pairs(file.constraints.exclusive, perturbagens),
        ceilings=_ceilings(file),
    )
    if "allowed" in library_files:
        allowed = _allowed(
            parse_table(library_files["allowed"], file.library.allowed or "allowed"), library
        )
        orders = tuple(sorted({each.order for each in allowed}))
        library = replace(library, allowed=allowed, orders=orders)
    source = _source(file, perturbagens, embedding_files)
    context_vectors, notes = context_rows(contexts, context_views)
    representations = represent(
        source,
        [each.id for each in perturbagens],
        context_vectors,
        log_doses([[dose.value for dose in each.doses] for each in perturbagens]),
    )
    evidence = _evidence(file, library, library_files)
    return Inputs(library, representations, source, evidence.screens, (*notes, *evidence.notes))


def _evidence(file: CampaignFile, library: Library, files: dict[str, bytes]) -> Evidence:
    """The earlier screens; their columns are called as in results files unless said otherwise."""
    tables = [
        PriorTable(
            parse_table(files[role], section.table),
            section.readout,
            section.perturbagens,
            section.doses,
            section.context,
        )
        for role, section in file.prior_files.items()
    ]
    return read_evidence(
        tables, Columns((), file.readout[0].name), [each.id for each in library.perturbagens]
    )


def _source(
    file: CampaignFile, perturbagens: Sequence[Perturbagen], files: dict[str, bytes]
) -> RepresentationSource:
    names = file.library.embedding_files
    stored = {name: files[role] for role, name in names.items()}
    return open_source(
        [(name, stored.get(name)) for name in file.library.embedding_names],
        {each.id: each.attributes for each in perturbagens},
        file.library.views,
        file.library.embedding_id,
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
        amounts = sorted(float(word) for word in words)
    except ValueError as error:
        msg = f"Perturbagen {name!r} has doses {levels!r}; expected numbers such as '0.1 1 10'."
        raise DoseError(msg) from error
    if 0 in amounts:
        msg = (
            f"Perturbagen {name!r} has doses {levels!r}: zero is not a positive number, and none "
            "of it means a perturbation without it; leave the 0 out, and list the lower orders "
            "too, as in order = [1, 2]."
        )
        raise DoseError(msg)
    return tuple(Dose(amount, unit) for amount in amounts)


def _contexts(
    file: CampaignFile, files: dict[str, bytes]
) -> tuple[tuple[str, ...], tuple[TableView, ...]]:
    if isinstance(file.library.contexts, tuple):
        return file.library.contexts, ()
    return context_table(files["contexts"], file.library.contexts)


def _forbidden(file: CampaignFile, files: dict[str, bytes]) -> frozenset[frozenset[str]]:
    if "forbidden" not in files:
        return frozenset()
    table = parse_table(files["forbidden"], file.library.forbidden or "forbidden")
    return frozenset(frozenset(cell for cell in row if cell) for row in table.rows)


def _ceilings(file: CampaignFile) -> dict[str, Dose]:
    """The highest dose of each perturbagen that may be chosen, as the campaign file has it."""
    ceilings = {}
    for name, dose in file.constraints.max_dose.items():
        try:
            ceilings[name] = Dose.parse(dose)
        except DoseError as error:
            raise DoseError(f"constraints.max_dose.{name}: {error}") from error
    return ceilings


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
