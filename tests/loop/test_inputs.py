import numpy as np
import pytest

from loop.domain.errors import (
    CampaignFileError,
    DoseError,
    InvalidError,
    UnknownPerturbagenError,
    UnreadableFileError,
)
from loop.domain.perturbation import Dose, Perturbagen
from loop.inputs import read_inputs, read_perturbagens
from loop.representation import log_doses
from loop.tables import parse_table
from tests.loop.representation.files import npz

GENES = b"id,kind,pathway\nA,knockdown,p53\nB,,\nC,knockdown,wnt\n"


def campaign(**library):
    library = {"perturbagens": "g.csv", "contexts": ["K562"], **library}
    lines = ["name='c'", "goal='maximize'", "[readout]", "name='gi'", "[library]"]
    return "\n".join([*lines, *(f"{key} = {value!r}" for key, value in library.items())]).encode()


def read(perturbagens=GENES, embeddings=None, files=None, **library):
    if embeddings is not None:
        library["embeddings"] = "e.npz"
    stored = {"campaign": campaign(**library), "perturbagens": perturbagens, **(files or {})}
    return read_inputs(stored, {} if embeddings is None else {"embeddings": embeddings})


def constrained(constraints, perturbagens=GENES, order=2):
    text = campaign(order=order).decode() + f"\n[constraints]\n{constraints}\n"
    return read_inputs({"campaign": text.encode(), "perturbagens": perturbagens}, {}).library


def table(text):
    return parse_table(text.encode(), "g.csv")


def test_perturbagens_keep_their_order_kind_and_further_columns():
    a, b, _ = read_perturbagens(table(GENES.decode()))
    assert a == Perturbagen("A", "knockdown", attributes={"pathway": "p53"})
    assert (b.kind, b.cost, b.attributes) == ("gene", 1.0, {"pathway": ""})


def test_costs_and_doses_are_read_and_sorted():
    text = "id,cost,doses,dose_unit\nA,2.5,10 0.1/1,uM\nB,,,uM\n"
    a, b = read_perturbagens(table(text))
    assert a.cost == 2.5
    assert a.doses == (Dose(0.1, "uM"), Dose(1.0, "uM"), Dose(10.0, "uM"))
    assert (b.cost, b.doses) == (1.0, ())


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("gene\nA\n", UnreadableFileError, "no column 'id'"),
        ("id,cost\nA,dear\n", UnreadableFileError, "'dear'"),
        ("id,doses\nA,1 2\n", DoseError, "no unit"),
        ("id,doses,dose_unit\nA,1 2,\n", DoseError, "no unit"),
        ("id,doses,dose_unit\nA,1 two,uM\n", DoseError, "'1 two'; expected numbers"),
        (
            "id,doses,dose_unit\nA,0 1,uM\n",
            DoseError,
            "'A' has doses '0 1': zero .* leave the 0 out",
        ),
        ("id,doses,dose_unit\nA,-1,uM\n", DoseError, "positive number"),
        ("id,doses,dose_unit\nA,nan,uM\n", DoseError, "positive number"),
        ("id,doses,dose_unit\nA,1 1,uM\n", DoseError, "twice"),
        ("id\nA+B\n", InvalidError, "cannot be an id"),
        ("id,kind\n,gene\n", InvalidError, "cannot be an id"),
    ],
)
def test_a_wrong_library_is_refused(text, error, told):
    with pytest.raises(error, match=told):
        read_perturbagens(table(text))


def test_a_library_without_embeddings_has_identity_only():
    inputs = read()
    assert inputs.source.views == ()
    assert inputs.representations.views == ()
    assert inputs.representations.perturbagens.shape == (3, 0)
    assert not inputs.representations.known.any()
    np.testing.assert_array_equal(inputs.representations.contexts, [[1.0]])


EMBEDDINGS = npz(id=np.array(["C", "A"]), x=np.array([[1.0], [2.0]]))


def test_embeddings_are_brought_into_the_library_s_order():
    inputs = read(embeddings=EMBEDDINGS)
    given = inputs.representations
    np.testing.assert_array_equal(given.perturbagens, [[2.0], [0.0], [1.0]])
    assert given.known.tolist() == [True, False, True]
    assert [(view.name, view.known.tolist()) for view in given.views] == [
        ("x", [True, False, True])
    ]


def test_several_embeddings_structures_among_them_are_joined():
    library = b"id,smiles,symbol\nA,CCO,\nB,CCN,C\nC,,\n"
    stored = {"campaign": campaign(embeddings=["e.npz", "morgan", "f.csv"], embedding_id="symbol")}
    files = {"embeddings": EMBEDDINGS, "embeddings-2": b"id,u\nA,5\n"}
    given = read_inputs({**stored, "perturbagens": library}, files).representations
    assert [view.name for view in given.views] == ["x", "morgan", "descriptors", "f"]
    assert [view.known.tolist() for view in given.views[::3]] == [[1, 1, 1], [1, 0, 0]]
    assert given.perturbagens[0, [0, -1]].tolist() == [2.0, 5.0]
    assert given.views[1].known.tolist() == [True, True, False]


def test_forbidden_sets_are_read_whatever_their_size():
    inputs = read(files={"forbidden": b"x,y\nA,B\nC,\n"}, forbidden="f.csv")
    assert inputs.library.forbidden == {frozenset("AB"), frozenset("C")}
    with pytest.raises(UnknownPerturbagenError, match="'Z'"):
        read(files={"forbidden": b"x,y\nA,Z\n"}, forbidden="f.csv")


def test_allowed_lists_every_candidate_once_and_sets_the_orders():
    listed = b"one,two,three\nA,B,\nB,A,\nA,B,C\n,C,\n"
    library = read(files={"allowed": listed}, allowed="a.csv").library
    assert [each.key for each in library.allowed] == ["A+B|K562", "A+B+C|K562", "C|K562"]
    assert library.orders == (1, 2, 3)


def test_allowed_may_hold_keys_or_name_contexts():
    keys = b"perturbation\nB+A|d\n|K562\n"
    library = read(files={"allowed": keys}, allowed="a.csv", contexts=["K562", "d"]).library
    assert [each.key for each in library.allowed] == ["A+B|d", "|K562"]
    columns = b"a,context\nA,d\n"
    library = read(files={"allowed": columns}, allowed="a.csv", contexts=["K562", "d"]).library
    assert [each.key for each in library.allowed] == ["A|d"]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        (b"a,b\nA,B\nA,Z\n", "a.csv, row 3: .*'Z'"),
        (b"a,context\nA,HeLa\n", "row 2: .*HeLa"),
        (b"perturbation\nA+B\n", "names no context"),
        (b"a,b\nA,A\n", "'A' twice"),
    ],
)
def test_a_candidate_that_the_library_cannot_make_is_refused(listed, told):
    with pytest.raises(InvalidError, match=told):
        read(files={"allowed": listed}, allowed="a.csv")


def test_contexts_come_from_a_list_or_a_file():
    assert read(contexts=["d", "c"]).library.contexts == ("d", "c")
    inputs = read(files={"contexts": b"line,x,y\nc,1,2\nd,3,4\n"}, contexts="c.csv")
    assert inputs.library.contexts == ("c", "d")
    np.testing.assert_array_equal(
        inputs.representations.contexts, [[1, 2, 1, 0], [3, 4, 0, 1]], "identity beside URs"
    )
    blank = read(files={"contexts": b"line,x\nc,1\nd,\n"}, contexts="c.csv")
    assert "known by name alone: d" in blank.notes[0]


def test_a_context_listed_twice_is_refused():
    with pytest.raises(InvalidError, match="'c' twice"):
        read(contexts=["c", "c"])
    with pytest.raises(InvalidError, match="'c' twice"):
        read(files={"contexts": b"line\nc\nc\n"}, contexts="c.csv")


def test_doses_are_logarithms_with_nothing_past_the_last():
    told = log_doses([[0.1, 1.0, 10.0], []])
    np.testing.assert_allclose(told, [[-1.0, 0.0, 1.0], [0.0, np.nan, np.nan]])
    np.testing.assert_array_equal(log_doses([[]]), [[0.0]])


CLASSES = b"""id,class,doses,dose_unit
A,kinase,0.1 1 10,uM
B,kinase; ABL,1,uM
C,ABL,,
D,,,
E,,,
"""


def test_perturbagens_that_share_a_value_of_an_exclusive_column_never_act_together():
    library = constrained('exclusive = ["class"]', CLASSES)
    assert library.forbidden == {frozenset("AB"), frozenset("BC")}


def test_an_exclusive_column_joins_what_is_forbidden_already():
    text = campaign(forbidden="f.csv").decode() + "\n[constraints]\nexclusive = ['class']\n"
    files = {"campaign": text.encode(), "perturbagens": CLASSES, "forbidden": b"a,b\nD,E\n"}
    library = read_inputs(files, {}).library
    assert library.forbidden == {frozenset("AB"), frozenset("BC"), frozenset("DE")}


def test_an_exclusive_column_must_exist_and_may_not_forbid_too_much():
    with pytest.raises(CampaignFileError, match=r"exclusive names the column 'clas'.*'class'\?"):
        constrained('exclusive = ["clas"]', CLASSES)
    many = "id,class\n" + "".join(f"G{number},one\n" for number in range(700))
    with pytest.raises(CampaignFileError, match=r"244,650 pairs, of 200,000 at most \(700 .*'one'"):
        constrained('exclusive = ["class"]', many.encode())


def test_dose_ceilings_are_read_by_perturbagen():
    library = constrained("max_dose = { A = '1 uM' }", CLASSES)
    assert library.ceilings == {"A": Dose(1.0, "uM")}
    with pytest.raises(DoseError, match=r"constraints.max_dose.A: Dose 'much' must be a number"):
        constrained("max_dose = { A = 'much' }", CLASSES)
