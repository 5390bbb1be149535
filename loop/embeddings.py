"""Universal representations from files: which ids a table covers, and its vectors."""

import io
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.domain.nearest import did_you_mean
from loop.ports.arrays import BoolArray, FloatArray
from loop.tables import parse_table

_ID_NAMES = ("id", "ids", "symbol", "symbols", "name", "names")
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
LEAST_COVERAGE = 0.1
"""A table that covers less of a library is refused: it names its rows in another way."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors by id: `views` are joined side by side; `known` rows of `vectors` are covered."""

    ids: tuple[str, ...]
    vectors: FloatArray
    views: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a library an embedding table knows."""

    covered: int
    total: int
    missing: tuple[str, ...]
    views: tuple[str, ...]
    dimensions: int


def parse_embeddings(content: bytes, name: str, views: Sequence[str] = ()) -> Embeddings:
    """Read an embedding table: a numpy .npz (ids and one or more views) or a CSV.

    In an .npz the ids are the array called id, symbol or name, and every two-dimensional array of
    numbers with as many rows is a view; `views` picks some of them. A CSV has ids in its first
    column and numbers in all others.

    Raises:
        UnreadableFileError: If it is neither, or lacks a view asked for.
    """
    if content[:4] == b"PK\x03\x04":
        return _parse_npz(content, name, views)
    if name.endswith((".parquet", ".h5ad", ".h5")):
        msg = f"{name}: embeddings are read from .npz or .csv so far; export one of these."
        raise UnreadableFileError(msg)
    return _parse_csv(content, name)


def _parse_npz(content: bytes, name: str, views: Sequence[str]) -> Embeddings:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            members = {key: archive[key] for key in archive.files}
    except _DAMAGED as error:
        msg = f"{name} is not a whole .npz of plain arrays ({error}); write it with numpy.savez."
        raise UnreadableFileError(msg) from error
    # What is no array (a note somebody packed beside them) comes back as bytes.
    arrays = {key: each for key, each in members.items() if isinstance(each, np.ndarray)}
    id_name = next((key for key in _ID_NAMES if key in arrays), None)
    if id_name is None or arrays[id_name].ndim != 1 or arrays[id_name].dtype.kind not in "US":
        msg = f"{name} holds no list of ids; add a text array called 'id'."
        raise UnreadableFileError(msg)
    ids = _names(arrays[id_name], name)
    found = {
        key: array
        for key, array in arrays.items()
        if array.ndim == 2 and len(array) == len(ids) and array.dtype.kind in "fiu"
    }
    if not found:
        msg = f"{name} holds no two-dimensional array of numbers with {len(ids)} rows."
        raise UnreadableFileError(msg)
    for view in views:
        if view not in found:
            hint = did_you_mean(view, found)
            msg = f"{name} has no view {view!r}.{hint} Its views are: {', '.join(found)}."
            raise UnreadableFileError(msg)
    picked = tuple(views) or tuple(found)
    vectors = np.concatenate([found[view].astype(np.float64) for view in picked], axis=1)
    return _checked(ids, vectors, picked, name)


def _names(
    array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", name: str
) -> tuple[str, ...]:
    try:
        return tuple(e.decode() if isinstance(e, bytes) else str(e) for e in array.tolist())
    except UnicodeDecodeError as error:
        msg = f"{name} has ids that are not UTF-8 text; write them as text."
        raise UnreadableFileError(msg) from error


def _parse_csv(content: bytes, name: str) -> Embeddings:
    table = parse_table(content, name)
    if len(table.columns) < 2:
        msg = f"{name} has one column only; expected an id and numbers after it."
        raise UnreadableFileError(msg)
    columns = [
        [np.nan if cell is None else cell for cell in table.numbers(column)]
        for column in table.columns[1:]
    ]
    vectors = np.nan_to_num(np.asarray(columns, dtype=np.float64).T)
    return _checked(tuple(row[0] for row in table.rows), vectors, ("csv",), name)


def _checked(
    ids: tuple[str, ...], vectors: FloatArray, views: tuple[str, ...], name: str
) -> Embeddings:
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        msg = f"{name} lists {twice!r} twice; give every id one row."
        raise UnreadableFileError(msg)
    if not np.isfinite(vectors).all():
        msg = f"{name} holds NaN or infinite numbers; use rows of zeros for what is unknown."
        raise UnreadableFileError(msg)
    return Embeddings(ids, vectors, views)


def align(embeddings: Embeddings, wanted: Sequence[str]) -> tuple[FloatArray, BoolArray]:
    """The vectors of `wanted` ids, shape (P, d), zeros where unknown; and which are known, (P,)."""
    row_of = {each: row for row, each in enumerate(embeddings.ids)}
    rows = np.array([row_of.get(each, -1) for each in wanted])
    vectors = np.where((rows >= 0)[:, None], embeddings.vectors[rows], 0.0)
    return vectors, np.asarray(vectors.any(axis=1))


def coverage(embeddings: Embeddings, wanted: Sequence[str], name: str) -> Coverage:
    """How much of a library is known.

    Raises:
        UnreadableFileError: If next to nothing is: the ids then follow another scheme.
    """
    _, known = align(embeddings, wanted)
    missing = tuple(each for each, there in zip(wanted, known, strict=True) if not there)
    if known.mean() < LEAST_COVERAGE:
        theirs, ours = ", ".join(embeddings.ids[:3]), ", ".join(missing[:3])
        msg = (
            f"{name} covers {int(known.sum())} of {len(wanted)} perturbagens: it calls its rows "
            f"{theirs}, the library {ours}; use the same ids in both, or leave embeddings out."
        )
        raise UnreadableFileError(msg)
    return Coverage(
        int(known.sum()), len(wanted), missing, embeddings.views, embeddings.vectors.shape[1]
    )
