import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop import tables
from loop.domain.errors import UnreadableFileError
from loop.tables import parse_table, read_bytes, read_table

CELLS = st.text(st.sampled_from("abcµ基 \"'.0123"), max_size=5).map(str.strip)


@given(st.sampled_from(",;\t"), st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_table_is_read_whatever_separates_its_columns(delimiter, rows):
    def quoted(cell):
        return '"' + cell.replace('"', '""') + '"'

    lines = [f"id{delimiter}kind", *(delimiter.join(map(quoted, row)) for row in rows)]
    table = parse_table("\n".join(lines).encode(), "t.csv")
    assert table.columns == ("id", "kind")
    assert table.rows == tuple(rows)


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"a,b\r\n1,2\r\n", b"\xef\xbb\xbfa,b\n1,2"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(content):
    table = parse_table(content, "t.csv")
    assert (table.columns, table.rows) == (("a", "b"), (("1", "2"),))


def test_blank_lines_are_no_rows_and_outer_blanks_no_text():
    assert parse_table(b"a , b\n\n 1 ,2\n\n", "t").rows == (("1", "2"),)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "no rows"),
        (b"a,a\n1,2\n", "two columns called 'a'"),
        (b"a,b\n1\n", "row 2, has 1 cells but the header has 2"),
        (b"a,b\n1,2\n1,2,3\n", "row 3, has 3 cells"),
        (b'a,b\n"1,2\n', "well-formed"),
        (b"a,b\n\x00,1\n", "not a text table"),
        (b"a,b\n\xff,1\n", "not UTF-8 text"),
        (b"x" * (1 << 21), "not a text table"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence_that_names_it(content, told):
    with pytest.raises(UnreadableFileError, match=told) as refused:
        parse_table(content, "t.csv")
    assert str(refused.value).startswith("t.csv")


def test_a_missing_column_is_answered_with_the_nearest_and_with_all():
    table = parse_table(b"gene_a,gene_b\nA,B\n", "t.csv")
    told = r"no column 'gene_c'. Did you mean 'gene_[ab]'\? .*: gene_a, gene_b"
    with pytest.raises(UnreadableFileError, match=told):
        table.column("gene_c")


def test_numbers_are_read_and_blanks_are_none():
    table = parse_table(b"x,y\n1.5,a\n,b\n-2e3,c\n", "t.csv")
    assert table.numbers("x") == [1.5, None, -2000.0]


@pytest.mark.parametrize("cell", ["NA", "nan", "inf", "-inf", "1,5", "1.2.3", "#DIV/0!"])
def test_a_cell_that_is_no_finite_number_is_quoted_with_its_line(cell):
    table = parse_table(f'x,y\n1,a\n"{cell}",b\n'.encode(), "t.csv")
    with pytest.raises(UnreadableFileError, match=r"line 3: .* is not a number") as refused:
        table.numbers("x")
    assert repr(cell) in str(refused.value)


def test_a_gzipped_table_is_read_like_a_plain_one(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_table(path).rows == (("1", "2"),)


@pytest.mark.parametrize("cut", [3, 10, 25])
def test_half_a_gzip_file_is_no_file(tmp_path, cut):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 50)[:cut])
    with pytest.raises(UnreadableFileError, match="not a whole gzip file"):
        read_bytes(path)


def test_a_missing_file_a_folder_and_an_empty_file_are_refused(tmp_path):
    (tmp_path / "empty").write_bytes(b" \n")
    for name, told in (("none", "no such file"), (".", "is a directory"), ("empty", "is empty")):
        with pytest.raises(UnreadableFileError, match=told):
            read_bytes(tmp_path / name)


def test_a_file_that_is_too_large_is_refused_packed_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 100)
    plain, packed = tmp_path / "plain.csv", tmp_path / "packed.csv.gz"
    plain.write_bytes(b"a,b\n" * 26)
    packed.write_bytes(gzip.compress(b"a,b\n" * 1000, mtime=0))
    for path in (plain, packed):
        with pytest.raises(UnreadableFileError, match="MiB"):
            read_bytes(path)
    packed.write_bytes(gzip.compress(b"a,b\n" * 25, mtime=0))
    assert len(read_bytes(packed)) == 100
