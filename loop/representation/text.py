"""URs from text tables: ids in the first column, numbers in all others."""

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.representation.view import Matrices
from loop.tables import parse_table


def read_text(content: bytes, name: str, view: str) -> Matrices:
    """Read a CSV as one view.

    Raises:
        UnreadableFileError: If it has one column only, or a cell is neither blank nor a number.
    """
    table = parse_table(content, name)
    if len(table.columns) < 2:
        msg = f"{name} has one column only; expected an id and numbers after it."
        raise UnreadableFileError(msg)
    columns = [
        [np.nan if cell is None else cell for cell in table.numbers(column)]
        for column in table.columns[1:]
    ]
    ids = tuple(row[0] for row in table.rows)
    return Matrices(ids, {view: np.asarray(columns, dtype=np.float64).T})
