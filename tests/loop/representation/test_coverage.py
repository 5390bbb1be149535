import numpy as np
import pytest

from loop.domain.errors import UnreadableFileError
from loop.representation import coverage, open_source
from tests.loop.representation.files import GO, IDS, PPI, npz

NAMES = np.array(IDS)


def test_a_report_says_what_each_view_knows_and_what_nobody_knows():
    source = open_source([("e.npz", npz(id=NAMES, go=GO, ppi=PPI, same=np.ones((3, 2))))], {})
    told = coverage(source, ["A", "X", "B"])

    assert (told.covered, told.total, told.missing, told.dimensions) == (2, 3, ("X",), 5)
    go, ppi, same = told.views
    assert (go.covered, go.unknown, go.constant) == (2, ("X",), 0)
    assert (ppi.covered, ppi.unknown) == (1, ("X", "B"))
    assert same.constant == 2
    sentences = told.sentences()
    assert "e.npz covers 2 of 3 perturbagens in 5 dimensions; unknown: X." in sentences
    assert "View ppi (1 column) covers 1 of 3; unknown: X, B." in sentences
    assert any("2 columns never varying" in each for each in sentences)


def test_near_duplicates_and_notes_are_told():
    table = npz(id=NAMES, x=np.array([[1.0, 2.0], [5.0, 1.0], [2.0, 4.0]]))
    told = coverage(open_source([("e.npz", table)], {}), ["A", "B", "C"])
    assert (told.near_duplicates, told.duplicates) == (1, (("A", "C"),))
    assert any("first: A and C." in each for each in told.sentences())

    smiles = {"A": {"smiles": "CCO"}, "B": {"smiles": "C(("}}
    told = coverage(open_source([("morgan", None)], smiles), ["A", "B"])
    assert told.missing == ("B",)
    assert any("'B'" in each and "C((" in each for each in told.sentences())


def test_only_the_first_few_unknowns_are_listed():
    wanted = ["A", "B", *(f"X{n}" for n in range(9))]
    told = coverage(open_source([("e.npz", npz(id=NAMES, go=GO))], {}), wanted)
    assert told.sentences()[0].endswith("unknown: X0, X1, X2, X3, X4 and 4 more.")


def test_a_table_that_covers_next_to_nothing_names_its_rows_in_another_way():
    source = open_source([("e.npz", npz(id=NAMES, go=GO))], {})
    wanted = [*IDS, *(f"ENSG{n:05}" for n in range(397))]
    with pytest.raises(UnreadableFileError, match="covers 3 of 400 perturbagens") as refused:
        coverage(source, wanted)
    assert "ENSG00000" in str(refused.value)


def test_one_of_several_files_that_covers_nothing_is_refused():
    files = [("e.npz", npz(id=NAMES, go=GO)), ("f.npz", npz(id=np.array(["Q"]), x=np.eye(1)))]
    with pytest.raises(UnreadableFileError, match=r"f.npz covers 0 of 3 .* calls its rows Q"):
        coverage(open_source(files, {}), IDS)
