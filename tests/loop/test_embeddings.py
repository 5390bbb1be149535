import io

import numpy as np
import pytest

from loop.domain.errors import UnreadableFileError
from loop.embeddings import align, coverage, parse_embeddings


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


IDS = np.array(["A", "B", "C"])
GO = np.arange(6.0).reshape(3, 2)
PPI = np.array([[1.0], [0.0], [2.0]], dtype=np.float32)


def test_all_views_are_joined_unless_some_are_picked():
    content = npz(symbol=IDS, go=GO, ppi=PPI, note=np.array("hello"), pairs=np.ones((4, 4)))
    whole = parse_embeddings(content, "e.npz")
    assert whole.views == ("go", "ppi")
    np.testing.assert_array_equal(whole.vectors, np.hstack([GO, PPI]))
    picked = parse_embeddings(content, "e.npz", ["ppi"])
    assert picked.views == ("ppi",)
    np.testing.assert_array_equal(picked.vectors, PPI)
    assert picked.ids == ("A", "B", "C")


def test_ids_stored_as_bytes_are_text():
    content = npz(id=np.array([b"A", "Β".encode()]), x=np.eye(2))
    assert parse_embeddings(content, "e.npz").ids == ("A", "Β")


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"genes": IDS, "go": GO}, "no list of ids"),
        ({"id": np.arange(3), "go": GO}, "no list of ids"),
        ({"id": IDS}, "no two-dimensional array of numbers with 3 rows"),
        ({"id": IDS, "go": GO[:2]}, "no two-dimensional array"),
        ({"id": np.array(["A", "B", "A"]), "go": GO}, "lists 'A' twice"),
        ({"id": IDS, "go": np.where(GO > 4, np.nan, GO)}, "NaN or infinite"),
        ({"id": IDS, "go": np.where(GO > 4, np.inf, GO)}, "NaN or infinite"),
        ({"id": np.array([b"\xff\xfe", b"B", b"C"]), "go": GO}, "not UTF-8"),
        ({"id": np.array(["A", 1], dtype=object), "go": GO}, "plain arrays"),
    ],
)
def test_an_archive_without_ids_or_vectors_is_refused(arrays, told):
    with pytest.raises(UnreadableFileError, match=told):
        parse_embeddings(npz(**arrays), "e.npz")


def test_an_unknown_view_is_answered_with_the_nearest():
    with pytest.raises(UnreadableFileError, match=r"no view 'pip'. Did you mean 'ppi'\?"):
        parse_embeddings(npz(id=IDS, go=GO, ppi=PPI), "e.npz", ["pip"])


def test_a_damaged_archive_is_refused_whatever_was_damaged():
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    np.savez_compressed(buffer, id=np.array([f"g{n}" for n in range(60)]), x=rng.random((60, 3)))
    whole = buffer.getvalue()
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(4, len(whole), size=3):
            damaged[place] = rng.integers(256)
        try:
            parse_embeddings(bytes(damaged), "e.npz")
        except UnreadableFileError:
            refused += 1
    assert refused > 200
    for end in (10, len(whole) // 2, len(whole) - 5):
        with pytest.raises(UnreadableFileError, match=r"not a whole .npz"):
            parse_embeddings(whole[:end], "e.npz")


def test_a_csv_has_ids_first_and_blanks_are_zero():
    read = parse_embeddings(b"gene,x,y\nA,1,2\nB,,3\n", "e.csv")
    assert read.ids == ("A", "B")
    np.testing.assert_array_equal(read.vectors, [[1.0, 2.0], [0.0, 3.0]])


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"gene\nA\n", "e.csv", "one column only"),
        (b"gene,x\nA,wide\n", "e.csv", "'wide'"),
        (b"PAR1...", "e.parquet", "export one of these"),
        (b"\x89HDF", "e.h5ad", "export one of these"),
    ],
)
def test_other_files_are_refused(content, name, told):
    with pytest.raises(UnreadableFileError, match=told):
        parse_embeddings(content, name)


def test_rows_are_brought_into_the_library_s_order_and_zeros_are_unknown():
    table = parse_embeddings(npz(id=IDS, x=np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]])), "e")
    vectors, known = align(table, ["C", "X", "B", "A"])
    np.testing.assert_array_equal(vectors, [[3, 4], [0, 0], [0, 0], [1, 2]])
    assert known.tolist() == [True, False, False, True]


def test_coverage_counts_what_is_known_and_lists_what_is_not():
    told = coverage(parse_embeddings(npz(id=IDS, x=GO), "e"), ["A", "X", "C"], "e.npz")
    assert (told.covered, told.total, told.missing, told.dimensions) == (2, 3, ("X",), 2)


def test_a_table_that_covers_next_to_nothing_names_its_rows_in_another_way():
    table = parse_embeddings(npz(id=IDS, x=GO + 1), "e")
    wanted = ["A", "B", "C", *(f"ENSG{n:05}" for n in range(397))]
    with pytest.raises(UnreadableFileError, match="covers 3 of 400 perturbagens") as refused:
        coverage(table, wanted, "e.npz")
    assert "ENSG00000" in str(refused.value)
