import h5py
import numpy as np
import pyarrow as pa
import pytest

from loop.domain.errors import UnavailableError, UnreadableFileError
from loop.representation import optional, read_views
from tests.loop.representation.files import GO, IDS, PPI, annotated, h5ad, npz, parquet


def as_npz():
    return npz(symbol=np.array(IDS), go=GO, ppi=PPI, note=np.array("hello"), pairs=np.ones((4, 4)))


def as_parquet():
    return parquet(symbol=IDS, note=["x", "y", "z"], go=GO.tolist(), ppi=PPI.tolist())


def as_h5ad():
    def write(file):
        annotated(file, go=GO, ppi=PPI)
        file["X"] = np.ones((3, 1))
        file["obsm"].create_group("a data frame")

    return h5ad(write)


@pytest.mark.parametrize("made", [as_npz, as_parquet, as_h5ad])
def test_every_format_tells_the_same_views(made):
    go, ppi = read_views(made(), "urs")

    assert (go.name, ppi.name) == ("go", "ppi")
    np.testing.assert_array_equal(go.vectors, GO)
    np.testing.assert_array_equal(ppi.vectors, PPI)
    assert dict(go.row_of) == {"A": 0, "B": 1, "C": 2}
    assert ppi.known.tolist() == [True, False, True]


def test_number_columns_are_one_view_called_as_the_file_is():
    text = read_views(b"gene,x,y\nA,1,2\nB,3,4\nC,5,6\n", "folder/urs.v1.csv")
    columns = parquet(x=GO[:, 0], gene=pa.array(IDS).dictionary_encode(), y=GO[:, 1].astype(int))
    binary = read_views(columns, "folder/urs.parquet")

    for (view,) in (text, binary):
        assert view.name == "urs"
        np.testing.assert_array_equal(view.vectors, GO)
        assert tuple(view.row_of) == IDS


def test_blank_rows_are_unknown_and_single_blanks_stand_at_the_mean():
    blank = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, 4.0]])
    made = [
        b"gene,x,y\nA,1,\nB,,\nC,3,4\n",
        npz(id=np.array(IDS), urs=blank),
        parquet(id=IDS, urs=[[1.0, None], None, [3.0, 4.0]]),
        parquet(id=IDS, x=[1.0, None, 3.0], y=[None, None, 4]),
        h5ad(lambda file: annotated(file, urs=blank)),
    ]
    for content in made:
        (view,) = read_views(content, "urs")
        assert view.known.tolist() == [True, False, True]
        assert view.filled == 1
        np.testing.assert_array_equal(view.vectors, [[1, 4], [0, 0], [3, 4]])


def test_a_dense_x_is_the_view_where_there_is_no_obsm():
    def write(file):
        annotated(file)
        file["X"] = GO

    (view,) = read_views(h5ad(write), "e.h5ad")
    assert view.name == "X"
    np.testing.assert_array_equal(view.vectors, GO)


def old_table(file):
    file["obs"] = np.array([(b"A", 1), (b"B", 2), (b"C", 3)], dtype=[("index", "S1"), ("n", int)])
    file["X"] = GO


def categories(file):
    index = file.create_group("obs/_index")
    index["categories"] = np.array(["C", "B", "A"], dtype=h5py.string_dtype())
    index["codes"] = np.array([2, 1, 0], dtype=np.int8)
    file["X"] = GO


def nullable(file):
    index = file.create_group("obs/_index")
    index["values"] = np.array(IDS, dtype=h5py.string_dtype())
    index["mask"] = np.zeros(3, dtype=bool)
    file["X"] = GO


@pytest.mark.parametrize("write", [old_table, categories, nullable])
def test_an_index_of_obs_is_read_however_it_is_stored(write):
    (view,) = read_views(h5ad(write), "e.h5ad")
    assert tuple(view.row_of) == IDS


def test_ids_stored_as_bytes_are_text():
    content = npz(id=np.array([b"A", "Β".encode()]), x=np.eye(2))
    assert tuple(read_views(content, "e.npz")[0].row_of) == ("A", "Β")


NAMES = np.array(IDS)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (npz(genes=NAMES, go=GO), "no list of ids"),
        (npz(id=np.arange(3), go=GO), "no list of ids"),
        (npz(id=NAMES), "no two-dimensional array of numbers with 3 rows"),
        (npz(id=NAMES, go=GO[:2]), "no two-dimensional array"),
        (npz(id=np.array(["A", "B", "A"]), go=GO), "lists 'A' twice"),
        (npz(id=NAMES, go=np.where(GO > 4, np.inf, GO)), "infinite"),
        (npz(id=NAMES, go=GO * np.nan, ppi=GO * 0), "every row is zeros or NaN"),
        (npz(id=np.array([b"\xff\xfe", b"B", b"C"]), go=GO), "not UTF-8"),
        (npz(id=np.array(["A", 1, 2], dtype=object), go=GO), "plain arrays"),
        (npz(id=NAMES[:0], go=GO[:0]), "no rows"),
        (b"gene\nA\n", "one column only"),
        (b"gene,x\nA,wide\n", "'wide'"),
        (b"PAR1...", "not a whole Parquet file"),
        (parquet(x=[1.0, 2.0]), "no column of text"),
        (parquet(id=["A", None], x=[1.0, 2.0]), "without an id"),
        (parquet(id=IDS, note=IDS), "no column of numbers"),
        (parquet(id=IDS, x=[[1.0], [1.0, 2.0], None]), "lists of 2 lengths"),
        (parquet(id=IDS, x=[["a"], ["b"], ["c"]]), "other than numbers"),
        (b"\x89HDF\r\n\x1a\nno more", "not a whole .h5ad"),
        (h5ad(lambda file: file.create_group("var")), "no 'obs'"),
        (h5ad(lambda file: annotated(file, go=GO[:2])), "no dense matrix of 3 rows"),
        (h5ad(lambda file: file.create_group("obs")), "not a whole .h5ad"),
    ],
)
def test_a_file_that_holds_no_representations_is_refused(content, told):
    with pytest.raises(UnreadableFileError, match=told) as refused:
        read_views(content, "some.file")
    assert "some.file" in str(refused.value)


@pytest.mark.parametrize("made", [as_npz, as_parquet, as_h5ad])
def test_a_damaged_file_is_refused_whatever_was_damaged(made):
    whole, rng = made(), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(4, len(whole), size=3):
            damaged[place] = rng.integers(256)
        try:
            read_views(bytes(damaged), "e")
        except UnreadableFileError:
            continue
    for end in (10, len(whole) // 2, len(whole) - 5):
        with pytest.raises(UnreadableFileError, match="not a whole"):
            read_views(whole[:end], "e")


def test_a_matrix_that_would_fill_the_memory_is_refused_unread():
    def write(file):
        annotated(file)
        file["obsm"].create_dataset("huge", shape=(3, 1 << 40), chunks=(1, 1024), dtype="f4")

    with pytest.raises(UnreadableFileError, match="more than 1024 MiB"):
        read_views(h5ad(write), "e.h5ad")


def test_a_missing_library_is_named_with_the_extra_that_brings_it():
    with pytest.raises(UnavailableError, match=r"pip install 'pertloop\[compounds\]'"):
        optional.optional("no_such_rdkit.Chem", "compounds", "A fingerprint")
