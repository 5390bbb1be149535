from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.domain.goal import Goal
from loop.replay.question import ask
from loop.screen import Columns, read_screen
from loop.tables import parse_table, read_table

DATA = Path(__file__).parents[3] / "shared" / "data"
PAIRS = Columns(("a", "b"), "y")


def read(text, columns=PAIRS):
    return read_screen(parse_table(text.encode(), "t.csv"), columns)


def named(screen):
    """Each perturbation as ids, dose levels, context and value."""
    return [
        (
            "+".join(
                f"{screen.perturbagens[at]}@{level}" if level else screen.perturbagens[at]
                for at, level in zip(components, levels, strict=True)
                if at >= 0
            ),
            screen.contexts[context],
            value,
        )
        for components, levels, context, value in zip(
            screen.combinations.components,
            screen.combinations.levels,
            screen.combinations.contexts,
            screen.values,
            strict=True,
        )
    ]


def test_a_row_is_a_perturbation_and_a_blank_cell_fewer_perturbagens():
    screen = read("a,b,y\nB,A,1.5\nC,,2\n,,3\n")
    assert named(screen) == [("A+B", "all", 1.5), ("C", "all", 2.0), ("", "all", 3.0)]
    assert screen.perturbagens == ("A", "B", "C")
    assert screen.combinations.slots == 2
    assert screen.hits is None
    assert screen.notes == ()


def test_rows_with_the_same_perturbation_are_replicates_in_whatever_order():
    screen = read("a,b,y\nA,B,1\nB,A,3\nA,C,5\nA,B,5\n")
    assert named(screen) == [("A+B", "all", 3.0), ("A+C", "all", 5.0)]
    np.testing.assert_array_equal(screen.replicates, [3, 1])
    np.testing.assert_allclose(screen.spread, [2.0, np.nan])
    [note] = screen.notes
    assert note.startswith("2 rows repeat a perturbation")


def test_rows_without_a_value_or_naming_a_perturbagen_twice_are_left_out_with_a_note():
    screen = read("a,b,y\nA,B,1\nA,A,2\nA,C,\nB,B,\n")
    assert named(screen) == [("A+B", "all", 1.0)]
    assert screen.notes == (
        "2 rows without a value of 'y' were left out.",
        "1 rows that name a perturbagen twice were left out.",
    )


def test_contexts_tell_the_same_pair_apart():
    screen = read("a,b,line,y\nA,B,K562,1\nA,B,HeLa,2\n", Columns(("a", "b"), "y", context="line"))
    assert named(screen) == [("A+B", "K562", 1.0), ("A+B", "HeLa", 2.0)]
    assert screen.contexts == ("HeLa", "K562")


DOSED = Columns(("a", "b"), "y", ("da", "db"))


def test_doses_are_levels_and_a_dose_of_zero_is_none_of_it():
    screen = read("a,da,b,db,y\nA,10,B,1,1\nA,0.1,B,0,2\nB,1,A,10,3\nA,0,B,0,4\n", DOSED)
    assert named(screen) == [("A@1+B", "all", 2.0), ("A", "all", 2.0), ("", "all", 4.0)]
    np.testing.assert_allclose(screen.doses, [[-1.0, 1.0], [0.0, np.nan]])
    assert screen.replicates.tolist() == [2, 1, 1]


def test_the_same_perturbagen_at_two_doses_is_named_twice():
    screen = read("a,da,b,db,y\nA,1,A,2,1\nA,1,B,1,2\n", DOSED)
    assert named(screen) == [("A+B", "all", 2.0)]
    assert "twice" in screen.notes[0]


@pytest.mark.parametrize("dose", ["", "-1"])
def test_a_perturbagen_without_its_dose_is_refused_with_the_line(dose):
    with pytest.raises(UnreadableFileError, match="line 3: 'B' needs a dose"):
        read(f"a,da,b,db,y\nA,1,B,1,1\nA,1,B,{dose},1\n", DOSED)


def test_each_perturbagen_column_has_its_dose_column():
    with pytest.raises(CampaignFileError, match="names 1 columns but --perturbagens 2"):
        read("a,da,b,y\nA,1,B,1\n", Columns(("a", "b"), "y", ("da",)))


def test_several_ids_may_be_joined_in_one_column():
    screen = read("what,y\nA+C+B,1\n A + B ,2\nC,3\n,4\n", Columns(("what",), "y"))
    assert [name for name, _, _ in named(screen)] == ["A+B+C", "A+B", "C", ""]
    assert screen.combinations.slots == 3


def test_a_column_of_zeros_and_ones_is_a_genotype():
    screen = read("genotype,y\n010,1\n111,2\n000,3\n", Columns(("genotype",), "y"))
    assert [name for name, _, _ in named(screen)] == ["s02", "s01+s02+s03", ""]
    assert "read as 3 factors, s01 to s03" in screen.notes[0]


def test_numbers_of_unequal_length_are_ids():
    screen = read("gene,y\n1,1\n10,2\n", Columns(("gene",), "y"))
    assert screen.perturbagens == ("1", "10")


def test_the_hit_column_is_read_and_any_replicate_makes_a_hit():
    columns = Columns(("a", "b"), "y", hit="hit")
    screen = read("a,b,y,hit\nA,B,1,0\nA,B,9,1\nA,C,1,\n", columns)
    np.testing.assert_array_equal(screen.hits, [True, False])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b,z\nA,B,1\n", "no column 'y'"),
        ("a,c,y\nA,B,1\n", "no column 'b'"),
        ("a,b,y\nA,B,high\n", "'high' in column 'y' is not a number"),
        ("a,b,y\nA,B,\n", "no row with a value"),
        ("a,b,y\nA,A,1\n", "no row with a value"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(text, told):
    with pytest.raises(UnreadableFileError, match=told):
        read(text)


@given(st.lists(st.tuples(*[st.sampled_from("ABCD")] * 2, st.floats(-9, 9)), min_size=1))
@settings(max_examples=50, deadline=None)
def test_nothing_is_lost_and_identities_tell_perturbations_apart(rows):
    sound = [(a, b, y) for a, b, y in rows if a != b]
    text = "\n".join(["a,b,y", *(f"{a},{b},{y!r}" for a, b, y in rows)])
    if not sound:
        with pytest.raises(UnreadableFileError):
            read(text)
        return
    screen = read(text)
    assert screen.replicates.sum() == len(sound)
    assert len(screen.values) == len({frozenset((a, b)) for a, b, _ in sound})
    assert len(np.unique(screen.identities)) == len(screen.values)
    whole = float((screen.values * screen.replicates).sum())
    assert whole == pytest.approx(sum(y for _, _, y in sound), abs=1e-9)


def test_identities_do_not_depend_on_what_else_is_in_the_table():
    few = read("a,b,y\nC,D,1\n")
    many = read("a,b,y\nA,B,1\nD,C,2\n")
    assert few.identities[0] == many.identities[1]


def shared(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here; the public screens are not part of this repository")
    return read_table(path)


SCREENS = [
    pytest.param(
        "horlbeck2018/k562_pairs.csv.gz",
        Columns(("gene_a", "gene_b"), "gi_k562", hit="is_hit"),
        (100_576, 2, 1, 449, 9_959),
        marks=pytest.mark.slow,
    ),
    (
        "oneil2016/pairs.csv.gz",
        Columns(("drug_a", "drug_b"), "loewe", context="cell_line", hit="is_hit"),
        (22_737, 2, 39, 38, 1_973),
    ),
    (
        "yale_pdac/pairs.csv.gz",
        Columns(
            ("drug_a", "drug_b"), "bliss_excess", ("dose_a_uM", "dose_b_uM"), "cell_line", "is_hit"
        ),
        (27_459, 2, 4, 41, 956),
    ),
    (
        "gene_screens/il2.csv.gz",
        Columns(("gene",), "score", hit="is_hit"),
        (18_939, 1, 1, 18_939, 654),
    ),
    ("hodc/combos.csv", Columns(("drugs",), "response", context="group"), (441, 6, 7, 21, None)),
    (
        "landscapes/poelwijk2019_fp13.csv.gz",
        Columns(("genotype",), "combined"),
        (8_192, 13, 1, 13, None),
    ),
]


@pytest.mark.parametrize(("name", "columns", "counts"), SCREENS)
def test_public_screens_are_read_whole_and_their_hits_follow_from_thresholds(name, columns, counts):
    screen = read_screen(shared(name), columns)
    read_counts = (
        len(screen.values),
        screen.combinations.slots,
        len(screen.contexts),
        len(screen.perturbagens),
        None if screen.hits is None else int(screen.hits.sum()),
    )
    assert read_counts == counts
    assert np.isfinite(screen.values).all()
    assert len(np.unique(screen.identities)) == len(screen.values)
    if screen.hits is not None:
        readout = ask(screen, "score", Goal.FIND_HITS).readout
        called = (screen.values <= readout.low) | (screen.values >= readout.high)
        np.testing.assert_array_equal(called, screen.hits)


def test_further_readouts_stand_beside_the_first_and_may_have_blanks():
    columns = Columns(("a", "b"), "y", more_readouts=("z", "w"))
    screen = read("a,b,y,z,w\nA,B,1,5,\nB,A,3,7,\nA,C,2,,4\n", columns)
    assert columns.readouts == ("y", "z", "w")
    np.testing.assert_array_equal(screen.table.values, [[2, 6, np.nan], [2, np.nan, 4]])
    np.testing.assert_array_equal(screen.table.replicates, [[2, 2, 0], [1, 0, 1]])
    np.testing.assert_allclose(
        screen.table.spread, [[np.sqrt(2), np.sqrt(2), np.nan], [np.nan, np.nan, np.nan]]
    )


def test_a_screen_with_one_readout_is_a_table_of_one_column():
    screen = read("a,b,y\nA,B,1\nA,C,2\n")
    np.testing.assert_array_equal(screen.table.values[:, 0], screen.values)
    assert screen.table.values.shape == (2, 1)
