"""What a replay's surrogates know beforehand: URs of the table's perturbagens and contexts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.domain.errors import CampaignFileError
from loop.ports.arrays import Representations
from loop.representation import (
    MORGAN,
    RepresentationSource,
    context_rows,
    coverage,
    open_source,
    read_views,
    represent,
)
from loop.screen import Screen
from loop.tables import parse_table, read_bytes


@dataclass(frozen=True, slots=True)
class RepresentationFiles:
    """Where URs come from.

    Attributes:
        library: A table of perturbagens: its first column is the id; then smiles, cost, ….
        embeddings: Files, or `morgan`, which makes fingerprints from the library's smiles.
        embedding_id: The library's column of ids by which the embeddings call perturbagens.
        views: The views to use; all by default.
        contexts: URs of contexts.
    """

    library: Path | None = None
    embeddings: tuple[str, ...] = ()
    embedding_id: str | None = None
    views: tuple[str, ...] = ()
    contexts: Path | None = None


def open_representations(files: RepresentationFiles) -> RepresentationSource:
    """Read what tells of perturbagens; the source then answers for those of any table.

    Raises:
        InvalidError: If a file or an option is wrong.
        UnavailableError: If a library that reads a file is not installed.
    """
    if files.library is None and MORGAN in files.embeddings:
        msg = "--embeddings morgan needs structures: name a --library FILE with a column 'smiles'."
        raise CampaignFileError(msg)
    if files.library is None and files.embedding_id is not None:
        msg = (
            f"--embedding-id {files.embedding_id!r} is a column of the library: name "
            "a --library FILE."
        )
        raise CampaignFileError(msg)
    return open_source(
        [(name, None if name == MORGAN else read_bytes(Path(name))) for name in files.embeddings],
        _attributes(files.library) if files.library is not None else {},
        files.views,
        files.embedding_id,
    )


def _attributes(path: Path) -> dict[str, dict[str, str]]:
    """The columns after the first, by id; of an id that stands twice, the first row."""
    table = parse_table(read_bytes(path), str(path))
    found: dict[str, dict[str, str]] = {}
    for row in table.rows:
        found.setdefault(row[0], dict(zip(table.columns[1:], row[1:], strict=True)))
    return found


def screen_representations(
    screen: Screen, source: RepresentationSource, contexts: Path | None
) -> tuple[Representations, Sequence[str]]:
    """The URs of a screen's perturbagens and contexts, and what there is to know about them.

    Raises:
        UnreadableFileError: If they cover next to nothing of the screen.
    """
    notes = list(coverage(source, screen.perturbagens).sentences()) if source.views else []
    views = () if contexts is None else read_views(read_bytes(contexts), str(contexts))
    rows, told = context_rows(screen.contexts, views)
    return represent(source, screen.perturbagens, rows, screen.doses), [*notes, *told]
