import numpy as np
import pytest

from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.representation import MORGAN, open_source, represent
from tests.loop.representation.files import GO, IDS, PPI, npz

NAMES = np.array(IDS)
FILE = ("e.npz", npz(id=NAMES, go=GO, ppi=PPI))


def test_views_stand_side_by_side_each_with_its_own_unknown_rows():
    given = represent(open_source([FILE], {}), ["C", "X", "B", "A"], np.eye(1), np.zeros((4, 1)))

    np.testing.assert_array_equal(given.perturbagens, [[5, 6, 2], [0, 0, 0], [3, 4, 0], [1, 2, 1]])
    assert given.known.tolist() == [True, False, True, True]
    assert [(view.name, view.width) for view in given.views] == [("go", 2), ("ppi", 1)]
    assert given.views[1].known.tolist() == [True, False, False, True]


def test_a_source_answers_for_any_ids_in_the_same_columns():
    source = open_source([FILE], {}, picked=["ppi"])

    vectors, known = source.rows(["Z", "A"])

    np.testing.assert_array_equal(vectors, [[0.0], [1.0]])
    assert known.tolist() == [False, True]


def test_without_files_there_are_no_columns():
    vectors, known = open_source([], {}).rows(["A", "B"])
    assert vectors.shape == (2, 0)
    assert not known.any()


def test_files_are_joined_and_views_of_one_name_told_apart():
    other = ("folder/other.npz", npz(id=np.array(["C", "D"]), go=np.eye(2), kegg=np.eye(2)))
    source = open_source([FILE, other], {})

    assert [view.name for view in source.views] == ["e/go", "ppi", "other/go", "kegg"]
    vectors, known = source.rows(["D", "C", "A"])
    assert known.all()
    np.testing.assert_array_equal(vectors[0], [0, 0, 0, 0, 1, 0, 1])
    assert open_source([FILE, other], {}, ["other/go", "ppi"]).rows(["C"])[0].tolist() == [
        [1.0, 0.0, 2.0]
    ]
    with pytest.raises(UnreadableFileError, match="name each file once"):
        open_source([FILE, FILE], {})


def test_the_library_may_say_how_the_files_call_its_perturbagens():
    attributes = {"old": {"symbol": "A"}, "B": {"symbol": ""}, "C": {"symbol": "nowhere"}}
    source = open_source([FILE], attributes, embedding_id="symbol")

    assert source.rows(["old", "B", "C"])[1].tolist() == [True, True, False]
    with pytest.raises(CampaignFileError, match="Did you mean 'symbol'"):
        open_source([FILE], attributes, embedding_id="symbl")


def test_structures_and_tables_are_joined_structures_by_the_library_s_own_ids():
    attributes = {"one": {"SMILES": "CCO", "name": "A"}, "A": {"SMILES": "CCN", "name": "B"}}
    source = open_source([FILE, (MORGAN, None)], attributes, embedding_id="name")

    vectors, views = source.joined(["one", "A"])
    assert [view.name for view in views] == ["go", "ppi", "morgan", "descriptors"]
    np.testing.assert_array_equal(vectors[:, :2], [[1, 2], [3, 4]])
    own, _ = open_source([(MORGAN, None)], attributes).rows(["one", "A"])
    np.testing.assert_array_equal(vectors[:, 3:], own)


def test_structures_need_a_column():
    with pytest.raises(CampaignFileError, match="column 'smiles'"):
        open_source([(MORGAN, None)], {"A": {"name": "x"}})


def test_an_unknown_view_is_answered_with_the_nearest():
    with pytest.raises(UnreadableFileError, match=r"e.npz has no view 'pip'. Did you mean 'ppi'\?"):
        open_source([FILE], {}, ["pip"])
    with pytest.raises(UnreadableFileError, match="Name embeddings first"):
        open_source([], {}, ["go"])
