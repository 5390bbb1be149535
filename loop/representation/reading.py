"""Which reader a file is for: its first bytes decide, not its name."""

from pathlib import PurePath

from loop.representation.h5ad import read_h5ad
from loop.representation.npz import read_npz
from loop.representation.parquet import read_parquet
from loop.representation.text import read_text
from loop.representation.view import TableView, checked

_ZIP, _PARQUET, _HDF5 = b"PK\x03\x04", b"PAR1", b"\x89HDF\r\n\x1a\n"


def read_views(content: bytes, name: str) -> tuple[TableView, ...]:
    """Read URs from .npz, .parquet, .h5ad or a text table.

    What a file does not name, the only view of a CSV or the number columns of a Parquet file, is
    called as the file is, without its ending.

    Raises:
        UnreadableFileError: If it is none of these or is damaged; the sentence says what is wrong.
        UnavailableError: If the library that reads it is not installed.
    """
    stem = PurePath(name).name.partition(".")[0] or name
    if content.startswith(_ZIP):
        return checked(read_npz(content, name), name)
    if content.startswith(_PARQUET):
        return checked(read_parquet(content, name, stem), name)
    if content.startswith(_HDF5):
        return checked(read_h5ad(content, name), name)
    return checked(read_text(content, name, stem), name)
