from dataclasses import replace

import numpy as np
import pytest

from loop.domain.errors import UnreadableFileError
from loop.prior import PriorTable, columns_of, read_evidence
from loop.screen import Columns
from loop.tables import parse_table

PAIRS = Columns(("gene_a", "gene_b"), "gi_k562")


def table(rows, header="gene_a,gene_b,gamma_jurkat,gi_jurkat_est,is_hit_est", name="jurkat.csv"):
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    return PriorTable(parse_table("\n".join(lines).encode(), name))


def some_pairs(count=8):
    names = [f"G{at}" for at in range(count)]
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    return [(a, b, -0.1 * at, 0.5 * at, at % 2) for at, (a, b) in enumerate(pairs)]


def test_the_readout_is_found_by_the_words_it_shares_with_the_campaigns():
    found = columns_of(table(some_pairs()), PAIRS)

    assert found == Columns(("gene_a", "gene_b"), "gi_jurkat_est", (), None)


def test_a_screen_stands_in_its_own_positions_and_says_where_the_library_is():
    evidence = read_evidence([table(some_pairs())], PAIRS, ["G3", "strange", "G0"])

    (screen,) = evidence.screens
    assert screen.positions.tolist() == [3, -1, 0]
    assert len(screen) == 28
    assert "2 of 3 perturbagens" in evidence.notes[0]
    assert screen.name == "jurkat.csv, gi_jurkat_est"


def test_a_readout_that_could_be_either_is_asked_for():
    ambiguous = table([(a, b, x, y) for a, b, x, y, _ in some_pairs()], "gene_a,gene_b,speed,size")

    with pytest.raises(UnreadableFileError, match="speed, size; say which one"):
        read_evidence([ambiguous], PAIRS, ["G1"])


def test_a_screen_of_other_perturbagens_is_refused():
    with pytest.raises(UnreadableFileError, match="shares no perturbagen"):
        read_evidence([table(some_pairs())], PAIRS, ["X", "Y"])


def test_a_screen_of_single_perturbagens_informs_pairs():
    singles = table([(f"G{at:02d}", at * 0.1) for at in range(30)], "gene,score", "singles.csv")

    (screen,) = read_evidence([singles], PAIRS, ["G03", "G04"]).screens

    assert screen.combinations.slots == 1
    assert screen.positions.tolist() == [3, 4]


@pytest.mark.parametrize(("contexts", "screens"), [(3, 3), (6, 1)])
def test_few_contexts_are_screens_and_many_are_pooled(contexts, screens):
    rows = [(a, b, x, f"line{c}") for c in range(contexts) for a, b, x, _, _ in some_pairs()]
    usual = Columns(("gene_a", "gene_b"), "gi", context="line")

    found = read_evidence([table(rows, "gene_a,gene_b,gi,line")], usual, ["G0", "G1"]).screens

    assert len(found) == screens
    assert all(len(each) == 28 for each in found)
    assert all((each.combinations.contexts == 0).all() for each in found)
    if screens == 1:
        by_key = dict(
            zip(map(tuple, found[0].combinations.components.tolist()), found[0].values, strict=True)
        )
        assert by_key[0, 1] == pytest.approx(0.0)
        assert by_key[6, 7] == pytest.approx(-2.7)


def test_too_little_is_refused():
    with pytest.raises(UnreadableFileError, match="fewer than 20"):
        read_evidence([table(some_pairs()[:5])], PAIRS, ["G0"])


def test_values_keep_their_unit():
    (screen,) = read_evidence([table(some_pairs())], PAIRS, ["G0"]).screens

    np.testing.assert_allclose(np.sort(screen.values), 0.5 * np.arange(28))


def test_a_context_of_too_few_rows_is_left_out_aloud():
    rows = [
        (a, b, "few" if at < 5 else "many", y) for at, (a, b, _, y, _) in enumerate(some_pairs())
    ]
    lines = table(rows, "gene_a,gene_b,line,gi_k562")

    evidence = read_evidence([lines], replace(PAIRS, context="line"), ["G1"])

    assert [each.name for each in evidence.screens] == ["jurkat.csv, gi_k562 in many"]
    assert any("left out" in note and "few" in note for note in evidence.notes)


def test_a_first_column_that_nobody_named_is_said_to_be_read_alone():
    singles = Columns(("gene",), "gi_jurkat_est")

    evidence = read_evidence([table(some_pairs(24))], singles, ["G1"])

    assert any("first column, 'gene_a', alone" in note for note in evidence.notes)
    assert not any("alone" in n for n in read_evidence([table(some_pairs())], PAIRS, ["G1"]).notes)
