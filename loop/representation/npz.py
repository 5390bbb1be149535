"""URs from numpy archives: a text array of ids, and a matrix for each view."""

import io
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.representation.view import Matrices

ID_NAMES = ("id", "ids", "symbol", "symbols", "name", "names")
_DAMAGED = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on an archive that is damaged, packed oddly, or encrypted."""


def read_npz(content: bytes, name: str) -> Matrices:
    """Read an .npz: ids are the array called id, symbol or name; every matrix of numbers is a view.

    A matrix of another number of rows, and whatever else lies in the archive, is left aside.

    Raises:
        UnreadableFileError: If it is damaged, or holds no ids or no such matrix.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            members = {key: archive[key] for key in archive.files}
    except _DAMAGED as error:
        msg = f"{name} is not a whole .npz of plain arrays ({error}); write it with numpy.savez."
        raise UnreadableFileError(msg) from error
    # What is no array (a note somebody packed beside them) comes back as bytes.
    arrays = {key: each for key, each in members.items() if isinstance(each, np.ndarray)}
    id_name = next((key for key in ID_NAMES if key in arrays), None)
    if id_name is None or arrays[id_name].ndim != 1 or arrays[id_name].dtype.kind not in "US":
        msg = f"{name} holds no list of ids; add a text array called 'id'."
        raise UnreadableFileError(msg)
    ids = texts(arrays[id_name].tolist(), name)
    found = {
        key: array.astype(np.float64)
        for key, array in arrays.items()
        if array.ndim == 2 and len(array) == len(ids) and array.dtype.kind in "fiu"
    }
    if not found:
        msg = f"{name} holds no two-dimensional array of numbers with {len(ids)} rows."
        raise UnreadableFileError(msg)
    return Matrices(ids, found)


def texts(values: list[Any], name: str) -> tuple[str, ...]:
    """Ids as text, whether stored as text or as bytes.

    Raises:
        UnreadableFileError: If bytes are not UTF-8.
    """
    try:
        return tuple(e.decode() if isinstance(e, bytes) else str(e) for e in values)
    except UnicodeDecodeError as error:
        msg = f"{name} has ids that are not UTF-8 text; write them as text."
        raise UnreadableFileError(msg) from error
