"""Small files of representations, in every format."""

import io

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

IDS = ("A", "B", "C")
GO = np.arange(6.0).reshape(3, 2) + 1
PPI = np.array([[1.0], [0.0], [2.0]], dtype=np.float32)
"""`B` has a row of zeros: unknown."""


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def h5ad(write) -> bytes:
    """An HDF5 file that `write` fills."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


def annotated(file: h5py.File, **obsm) -> None:
    """What anndata writes since version 0.7, by hand: an index of `obs`, matrices in `obsm`."""
    obs = file.create_group("obs")
    obs.attrs["_index"] = "gene"
    obs["gene"] = np.array(IDS, dtype=h5py.string_dtype())
    group = file.create_group("obsm")
    for name, array in obsm.items():
        group[name] = array
