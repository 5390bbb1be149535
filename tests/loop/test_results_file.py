import gzip
import hashlib
import os
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import UnreadableFileError
from loop.domain.observation import WellStatus
from loop.results_file import parse_results, read_results

HEADER = "plate_id,well,readout,value,unit,status\n"


def parsed(*lines, header=HEADER):
    return parse_results((header + "".join(line + "\n" for line in lines)).encode(), "r.csv")


def refused(content, sentence):
    content = content.encode() if isinstance(content, str) else content
    with pytest.raises(UnreadableFileError, match=sentence) as caught:
        parse_results(content, "r.csv")
    assert len(str(caught.value)) < 700


def test_a_row_by_hand():
    header = "flag,measured_at,status,unit,value,readout,well,plate_barcode,plate_id,dispatch_key\n"

    (row,) = parsed('"a, b",2026-01-02T03:04Z,ok,sd,-1.25e1,gi,b7,PL1,p1,k1', header=header).rows

    assert (row.dispatch_key, row.plate_id, row.plate_barcode) == ("k1", "p1", "PL1")
    assert (row.well, row.readout, row.value, row.unit) == ("B07", "gi", -12.5, "sd")
    assert (row.status, row.measured_at, row.flag) == (WellStatus.OK, "2026-01-02T03:04Z", "a, b")
    assert row.line == 2
    assert row.text.startswith('"a, b",2026')


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    delimiter=st.sampled_from([",", ";", "\t"]),
    mark=st.sampled_from(["", "\ufeff"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
    order=st.permutations(["plate_id", "well", "readout", "value", "notes"]),
)
@settings(max_examples=60)
def test_every_number_comes_back_in_every_dialect(value, delimiter, mark, ending, packed, order):
    cells = {"plate_id": "p1", "well": "A1", "readout": "gi", "value": repr(value), "notes": "x"}
    lines = [delimiter.join(order), delimiter.join(cells[column] for column in order)]
    content = (mark + ending.join([*lines, ""])).encode()
    content = gzip.compress(content) if packed else content

    result = parse_results(content, "r.csv")

    assert [row.value for row in result.rows] == [value]
    assert not result.problems
    assert result.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("value", "status", "read", "meant"),
    [
        ("0", "", 0.0, WellStatus.OK),
        ("1.5", "OK", 1.5, WellStatus.OK),
        ("", "", None, WellStatus.MISSING),
        ("", "ok", None, WellStatus.MISSING),
        ("", "failed", None, WellStatus.FAILED),
        ("OVER", "", None, WellStatus.SATURATED),
        ("#SAT", "ok", None, WellStatus.SATURATED),
        ("65535", "saturated", 65535.0, WellStatus.SATURATED),
        ("2", "excluded", 2.0, WellStatus.EXCLUDED),
    ],
)
def test_what_value_and_status_mean_together(value, status, read, meant):
    (row,) = parsed(f"p1,A1,gi,{value},sd,{status}").rows

    assert (row.value, row.status) == (read, meant)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("p1,A1,gi,nan,,", "value 'nan' is not a finite number; leave the cell empty"),
        ("p1,A1,gi,-inf,,", "value '-inf' is not a finite number"),
        ("p1,A1,gi,1e999,,", "value '1e999' is not a finite number"),
        ("p1,A1,gi,high,,", "value 'high' is not a finite number"),
        ("p1,A1,gi,1_000,,", "value '1_000' is not a finite number"),
        ("p1,A1,gi,NA,,", "value 'NA' is not a finite number"),
        ('p1,A1,gi,"1,5",,', "value '1,5' has a decimal comma; write 1.5."),
        (
            "p1,A1,gi,1,,misssing",
            "status 'misssing' is unknown; use one of ok, .* Did you mean 'missing'",
        ),
        ("p1,A1,gi,1,,missing", "status is 'missing', but there is a value, 1"),
        ("p1,Q99,gi,1,,", "well 'Q99' is no well of any plate; write it as 'B7'"),
        ("p1,,gi,1,,", "well is empty"),
        ("p1,A1,,1,,", "readout is empty"),
        (",A1,gi,1,,", "plate_id and plate_barcode are both empty"),
        ("p1,A1,gi,1", "the row has 4 cells, the header names 6 columns"),
        ("p1,A1,gi,1,,,more", "the row has 7 cells"),
    ],
)
def test_a_bad_row_is_set_aside_with_a_sentence_and_the_others_count(line, sentence):
    result = parsed("p1,H12,gi,1,,", line, "p1,H11,gi,2,,")

    (problem,) = result.problems
    assert (problem.line, problem.text) == (3, line)
    assert re.match(sentence, problem.sentence)
    assert [row.value for row in result.rows] == [1.0, 2.0]


def test_a_number_said_twice_counts_once():
    result = parsed("p1,A1,gi,1,,", "p1,A01,gi,1.0,,ok", "p1,A1,other,2,,", "p2,A1,gi,3,,")

    assert [row.line for row in result.rows] == [2, 4, 5]
    assert not result.problems


def test_a_contradiction_sets_both_rows_aside_and_names_both_lines():
    result = parsed("p1,A1,gi,1,,", "p1,A2,gi,5,,", "p1,A01,gi,2,,", "p1,A1,gi,1,,")

    assert [row.well for row in result.rows] == ["A02"]
    assert [problem.line for problem in result.problems] == [2, 4, 5]
    assert "1 on line 2 and 2 on line 4; remove the wrong one." in result.problems[0].sentence


def test_blank_lines_and_further_empty_cells_are_passed_over():
    result = parsed("", "p1,A1,gi,1,,,,", " , ,,,,", "p1,A2,gi,2,,")

    assert [row.line for row in result.rows] == [3, 5]


def test_a_quoted_cell_may_hold_the_separator_quotes_and_line_breaks():
    result = parsed('p1,A1,gi,1,"s,""d""\nx",', "p1,A2,gi,x,,")

    assert result.rows[0].unit == 's,"d"\nx'
    assert result.rows[0].line == 3
    assert result.problems[0].line == 4


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("plate_id,well,readout,valeu", "no column 'value'.*Did you mean 'valeu'.*Rename it"),
        ("plate_id,well,readout,result", "no column 'value'; it has 'plate_id', 'well'"),
        ("plate,well,readout,value", "neither 'plate_id' nor 'plate_barcode'.*mean 'plate'"),
        ("plate_id,well,readout,value,value", "two columns 'value'"),
        ("plate_id|well|readout|value", "no column 'well'"),
    ],
)
def test_a_wrong_header_is_refused(header, sentence):
    refused(f"{header}\np1,A1,gi,1\n", sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("\ufeff", "is empty"),
        ("\n\n", "is empty"),
        (HEADER, "has a header and no rows"),
        (HEADER + "\n,,,,,\n", "has a header and no rows"),
        (b"PK\x03\x04rest", "is an Excel workbook"),
        ("plate_id,well\n".encode("utf-16"), "is UTF-16 text"),
        (bytes(1000), "line 1 holds binary data"),
        (random.Random(0).randbytes(5000), "is not a results table: line 1"),
        ("x" * 70_000, "line 1 is longer than 64 KiB"),
        (HEADER.encode() + b"p1,A1,gi,\xff,,\n", "line 2 is not UTF-8 text"),
        (HEADER + 'p1,"A1,gi,1,,\n', "quotes or line breaks out of place"),
        (HEADER + 'p1,"A"1,gi,1,,\n', "line 2 has quotes"),
        (HEADER.replace("\n", "\r") + "p1,A1,gi,1,,\r", "line breaks out of place"),
        (HEADER + 'p1,"' + "A1,gi,1,,\n" * 20_000, "quotes or line breaks out of place"),
        (gzip.compress(HEADER.encode() * 100)[:-9], "damaged gzip"),
        (gzip.compress(b"x" * 1_000_000), "line 1 is longer"),
        (gzip.compress(b""), "is empty"),
    ],
)
def test_what_is_no_results_table_is_refused_in_a_sentence(content, sentence):
    refused(content, sentence)


def test_more_rows_than_the_limit_are_refused():
    content = HEADER + "".join(f"p{n},A1,gi,1,,\n" for n in range(11))

    with pytest.raises(UnreadableFileError, match="more than 10 rows; split it"):
        parse_results(content.encode(), "r.csv", max_rows=10)


def test_a_table_of_nothing_but_bad_rows_is_refused_with_the_first():
    content = HEADER + "p1,A1,gi,bad,,\n" * 20_001

    refused(content, "more than 20,000 rows that cannot be read; the first is line 2: value 'bad'")


def test_the_file_on_disk_and_its_bytes_read_alike(tmp_path):
    content = (HEADER + "p1,A1,gi,1,,\np1,A2,gi,x,,\n").encode() * 3
    path = tmp_path / "results.csv"
    path.write_bytes(content)

    assert read_results(path) == parse_results(content, "results.csv")
    assert read_results(path, "shown.csv").name == "shown.csv"


def test_no_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UnreadableFileError, match="no file there; give the path"):
        read_results(tmp_path / "nothing.csv")
    with pytest.raises(UnreadableFileError, match="a folder; give the path"):
        read_results(tmp_path)


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="counts bytes as Linux does")
@pytest.mark.parametrize("start", [b"", b"once upon a time\n", HEADER.encode()])
def test_a_gigabyte_of_garbage_is_refused_without_being_read(tmp_path, start):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.write(start)
        os.truncate(path, 1 << 30)
    reads = _bytes_read()

    with pytest.raises(UnreadableFileError):
        read_results(path)

    assert _bytes_read() - reads < 10_000_000


def _bytes_read():
    with open("/proc/self/io") as file:
        return int(file.readline().split()[1])
