"""URs from AnnData files: the matrices of `obsm`, or a dense `X`, for the names in `obs`."""

import io
from typing import Any

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import FloatArray
from loop.representation.npz import texts
from loop.representation.optional import optional
from loop.representation.view import LARGEST, Matrices

_INDEX = "_index"
_DAMAGED = (
    OSError,
    KeyError,
    IndexError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What h5py raises on a file that is damaged, or whose parts are not what they should be."""


def read_h5ad(content: bytes, name: str) -> Matrices:
    """Read an .h5ad: every dense matrix in `obsm` is a view; without any, a dense `X` is one.

    Raises:
        UnreadableFileError: If it is damaged, too large, or has no ids or no dense matrix.
        UnavailableError: If h5py is not installed.
    """
    h5py = optional("h5py", "tables", "Reading .h5ad")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            ids = _ids(file, name)
            return Matrices(ids, _views(h5py, file, len(ids), name))
    except _DAMAGED as error:
        msg = f"{name} is not a whole .h5ad file ({error}); write it again."
        raise UnreadableFileError(msg) from error


def _ids(file: Any, name: str) -> tuple[str, ...]:
    if "obs" not in file:
        msg = f"{name} has no 'obs', whose index would name its rows; expected an AnnData file."
        raise UnreadableFileError(msg)
    obs = file["obs"]
    if hasattr(obs, "dtype"):
        # Up to anndata 0.6 a table of rows, its index the first field.
        return texts(_whole(obs, name)[obs.dtype.names[0]].tolist(), name)
    index = obs[obs.attrs.get(_INDEX, _INDEX)]
    if hasattr(index, "dtype"):
        return texts(_whole(index, name).tolist(), name)
    # A group: categories with codes, or (since anndata 0.11) text that may be missing.
    if "codes" in index:
        codes = _whole(index["codes"], name)
        return texts(_whole(index["categories"], name)[codes].tolist(), name)
    return texts(_whole(index["values"], name).tolist(), name)


def _whole(item: Any, name: str) -> Any:
    """A data set as an array, if it is of a size that could be one of ours."""
    if item.size > LARGEST:
        msg = f"{name} unpacks to more than {LARGEST >> 17} MiB; put fewer columns into 'obsm'."
        raise UnreadableFileError(msg)
    return item[()]


def _views(h5py: Any, file: Any, rows: int, name: str) -> dict[str, FloatArray]:
    def dense(item: Any) -> bool:
        return (
            isinstance(item, h5py.Dataset)
            and item.ndim == 2
            and len(item) == rows
            and item.dtype.kind in "fiu"
        )

    stored = dict(file["obsm"].items()) if "obsm" in file else {}
    found = {key: item for key, item in stored.items() if dense(item)}
    if not found and "X" in file and dense(file["X"]):
        found = {"X": file["X"]}
    if not found:
        msg = (
            f"{name} holds no dense matrix of {rows} rows in 'obsm' or 'X'; "
            "put the representations into 'obsm' as arrays."
        )
        raise UnreadableFileError(msg)
    return {key: _whole(item, name).astype(np.float64) for key, item in found.items()}
