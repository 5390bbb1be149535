from pathlib import Path

import numpy as np
import pytest

from loop.domain.errors import CampaignFileError
from loop.replay.inputs import RepresentationFiles, open_representations, screen_representations
from loop.screen import Columns, read_screen
from loop.tables import parse_table, read_table

SHARED = Path(__file__).parents[4] / "shared" / "data"
TABLE = b"a,b,line,gi\nd1,d2,L1,1\nd1,d3,L2,2\n"
LIBRARY = "drug,smiles,symbol\nd1,CCO,A\nd2,C((,B\nd3,CCN,\nd1,CCC,C\n"


@pytest.fixture
def screen():
    return read_screen(parse_table(TABLE, "t.csv"), Columns(("a", "b"), "gi", context="line"))


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "drugs.csv"
    path.write_text(LIBRARY)
    return path


def test_structures_and_files_are_joined_and_reported(screen, library, tmp_path):
    urs, lines = tmp_path / "urs.csv", tmp_path / "lines.csv"
    urs.write_text("id,u\nA,1\nB,2\n")
    lines.write_text("line,x\nL1,3\n")
    files = RepresentationFiles(library, ("morgan", str(urs)), "symbol", (), lines)

    source = open_representations(files)
    given, notes = screen_representations(screen, source, files.contexts)

    assert [view.name for view in given.views] == ["morgan", "descriptors", "urs"]
    assert given.views[0].known.tolist() == [True, False, True]
    assert given.perturbagens[:, -1].tolist() == [1.0, 2.0, 0.0]
    assert given.known.all()
    np.testing.assert_array_equal(given.contexts, [[3, 1, 0], [3, 0, 1]])
    told = " ".join(notes)
    assert "'d2' cannot be read" in told
    assert "View urs (1 column) covers 2 of 3; unknown: d3" in told
    assert "known by name alone: L2" in told
    # The same columns for the perturbagens of another table.
    vectors, known = source.rows(["d3", "elsewhere"])
    np.testing.assert_array_equal(vectors[0], given.perturbagens[2])
    assert known.tolist() == [True, False]


def test_without_files_identity_is_all_there_is(screen):
    given, notes = screen_representations(screen, open_representations(RepresentationFiles()), None)
    assert given.perturbagens.shape == (3, 0)
    assert not given.known.any()
    np.testing.assert_array_equal(given.contexts, np.eye(2))
    assert notes == []


def test_what_needs_a_library_says_so():
    with pytest.raises(CampaignFileError, match="--library FILE with a column 'smiles'"):
        open_representations(RepresentationFiles(embeddings=("morgan",)))
    with pytest.raises(CampaignFileError, match="--embedding-id 'symbol' is a column"):
        open_representations(RepresentationFiles(embedding_id="symbol"))


def test_the_real_drugs_and_lines_are_known_but_for_those_that_the_data_s_page_names():
    folder = SHARED / "oneil2016"
    if not folder.exists():
        pytest.skip(f"{folder} is not here; `pertloop datasets` fetches public screens")
    columns = Columns(("drug_a", "drug_b"), "loewe", context="cell_line", hit="is_hit")
    screen = read_screen(read_table(folder / "pairs.csv.gz"), columns)
    files = RepresentationFiles(
        folder / "drugs.csv", ("morgan",), contexts=folder / "cell_expression.csv.gz"
    )

    given, notes = screen_representations(screen, open_representations(files), files.contexts)

    assert given.known.all()
    assert given.perturbagens.shape == (38, 2057)
    assert given.contexts.shape == (39, 651 + 39)
    assert any("covers 32 of 39 contexts" in note for note in notes)
    assert np.isfinite(given.contexts).all()
