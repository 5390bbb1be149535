"""URs of contexts: from a file where there is one, always with identity beside them."""

from collections.abc import Sequence

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import FloatArray
from loop.representation.reading import read_views
from loop.representation.view import TableView
from loop.tables import parse_table

_FEW = 5
_BINARY = (b"PK\x03\x04", b"PAR1", b"\x89HDF")


def context_table(content: bytes, name: str) -> tuple[tuple[str, ...], tuple[TableView, ...]]:
    """The contexts that a file names, in its order, and their views.

    A text table of one column names contexts and has no views.

    Raises:
        UnreadableFileError: If it cannot be read; the sentence says what is wrong.
        UnavailableError: If the library that reads it is not installed.
    """
    if not content.startswith(_BINARY):
        table = parse_table(content, name)
        if len(table.columns) == 1:
            return tuple(row[0] for row in table.rows), ()
    views = read_views(content, name)
    return tuple(views[0].row_of), views


def context_rows(
    names: Sequence[str], views: Sequence[TableView]
) -> tuple[FloatArray, tuple[str, ...]]:
    """URs of C contexts with identity beside them, shape (C, c + C); and what to know, told.

    Identity lets a context without a UR have a vector of its own, and two with like URs differ.
    What a view does not know of a context stands at the mean of those that it knows.

    Raises:
        UnreadableFileError: If the views know none of the contexts.
    """
    wanted = tuple(names)
    covered = np.zeros(len(wanted), dtype=np.bool_)
    blocks = []
    for view in views:
        vectors, known = view.rows(wanted)
        covered |= known
        if known.any():
            blocks.append(np.where(known[:, None], vectors, vectors[known].mean(axis=0)))
    if views and not covered.any():
        msg = f"{views[0].origin} covers none of the contexts, such as {wanted[0]!r}."
        raise UnreadableFileError(msg)
    notes: tuple[str, ...] = ()
    if views and not covered.all():
        missing = [name for name, there in zip(wanted, covered, strict=True) if not there]
        more = f" and {len(missing) - _FEW} more" if len(missing) > _FEW else ""
        notes = (
            f"{views[0].origin} covers {int(covered.sum())} of {len(wanted)} contexts; known by "
            f"name alone: {', '.join(missing[:_FEW])}{more}.",
        )
    return np.concatenate([*blocks, np.eye(len(wanted))], axis=1), notes
