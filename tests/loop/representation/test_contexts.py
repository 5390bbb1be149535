import numpy as np
import pytest

from loop.domain.errors import UnreadableFileError
from loop.representation import context_rows, context_table, read_views
from tests.loop.representation.files import annotated, h5ad, npz, parquet

IDS = ("A", "B", "C")
URS = np.array([[1.0, 2.0], [3.0, 6.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    "content",
    [
        b"line,x,y\nA,1,2\nB,3,6\nC,,\n",
        npz(id=np.array(IDS), x=URS),
        parquet(id=IDS, x=URS[:, 0], y=URS[:, 1]),
        h5ad(lambda file: annotated(file, x=URS)),
    ],
)
def test_a_file_of_any_format_names_contexts_and_their_urs(content):
    names, views = context_table(content, "c.file")
    assert names == IDS

    rows, notes = context_rows(names, views)

    # C is unknown: it stands at the mean of the others, and identity tells it apart.
    assert np.allclose(rows[2, :-3], rows[:2, :-3].mean(axis=0))
    assert np.ptp(rows[:, 0]) > 0
    np.testing.assert_array_equal(rows[:, -3:], np.eye(3))
    assert notes == ("c.file covers 2 of 3 contexts; known by name alone: C.",)


def test_names_alone_are_one_hot():
    names, views = context_table(b"line\nd\nc\n", "c.csv")
    assert (names, views) == (("d", "c"), ())
    rows, notes = context_rows(names, views)
    np.testing.assert_array_equal(rows, np.eye(2))
    assert notes == ()


def test_urs_of_none_of_the_contexts_are_refused():
    views = read_views(b"line,x\nA,1\n", "c.csv")
    with pytest.raises(
        UnreadableFileError, match=r"c.csv covers none of the contexts, such as 'Q'"
    ):
        context_rows(["Q", "R"], views)
