import time

import numpy as np
import pytest

from loop.domain.library import Library
from loop.domain.perturbation import Dose, Perturbagen, Perturbation
from loop.encoding import LibraryIndex
from loop.ports.arrays import Representations
from loop.reach import Reach
from loop.representation import log_doses

MANY = 60
DOSES = tuple(Dose(value, "uM") for value in (0.1, 1.0, 10.0))


def library(doses=()):
    each = tuple(Perturbagen(f"P{at:02}", doses=doses) for at in range(MANY))
    return Library(each, ("K562", "Jurkat"), (1, 2, 3))


def representations(vectors, doses=()):
    known = vectors.any(axis=1)
    levels = log_doses([[dose.value for dose in doses]] * MANY)
    return Representations(vectors, known, np.eye(2), levels)


@pytest.fixture
def vectors():
    """Sixty URs; P57 knows nothing, P58 is far away, P59 like any other."""
    found = np.random.default_rng(0).normal(size=(MANY, 4))
    found[57], found[58] = 0.0, 30.0
    return found


def reach(vectors, measured, doses=()):
    held = library(doses)
    combinations = LibraryIndex(held).encode([Perturbation.parse(key) for key in measured])
    return Reach(held, representations(vectors, doses), combinations), LibraryIndex(held)


def warned(vectors, key, measured=None, doses=()):
    at = f"@{DOSES[1]}" if doses else ""
    pairs = [f"P{n:02}{at}+P{n + 1:02}{at}|K562" for n in range(55)]
    found, index = reach(vectors, measured or [*pairs, "|K562", f"P00{at}|K562"], doses)
    [sentences] = found.warnings(index.encode([Perturbation.parse(key)]))
    return sentences


@pytest.mark.parametrize("key", ["P00+P07|K562", "P54|K562", "|K562"])
def test_what_is_like_the_measured_earns_no_warning(vectors, key):
    assert warned(vectors, key) == ()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("P00+P57|K562", "P57 was never measured and has no UR"),
        ("P00+P58|K562", "P58 was never measured and has a UR far from all measured ones"),
        ("P00+P59|K562", "P59 was never measured: the belief comes from"),
        ("P00+P01|Jurkat", "Nothing was measured in context 'Jurkat'"),
        ("P00+P01+P02|K562", "No perturbation of order 3 was measured"),
    ],
)
def test_each_way_of_being_out_of_reach_has_its_sentence(vectors, key, says):
    [sentence] = warned(vectors, key)
    assert says in sentence
    assert sentence.endswith(".")


def test_everything_at_once_is_said_at_once(vectors):
    sentences = warned(vectors, "P57+P58+P59|Jurkat")
    assert len(sentences) == 5


def test_a_control_that_was_never_measured_is_said_to_be(vectors):
    [sentence] = warned(vectors, "|K562", ["P00+P01|K562"])
    assert "No control was measured" in sentence


def test_doses_that_were_not_measured_are_named_with_those_that_were(vectors):
    low, middle, high = (f"P00@{dose}|K562" for dose in DOSES)
    outside = warned(vectors, high, [low, middle], DOSES)
    between = warned(vectors, middle, [low, high], DOSES)

    assert outside == (
        "P00 was never measured at 10uM, which lies outside the measured doses: 0.1uM, 1uM.",
    )
    assert "never measured at 1uM, which lies between" in between[0]
    assert "0.1uM, 10uM" in between[0]
    assert warned(vectors, high, [low, middle, high], DOSES) == ()


def test_units_of_the_urs_do_not_matter(vectors):
    for scale in (1e-6, 1e6):
        assert "far from" in warned(vectors * scale, "P00+P58|K562")[0]
        assert "similar URs" in warned(vectors * scale, "P00+P59|K562")[0]


def test_too_few_measured_urs_are_no_yardstick(vectors):
    found, index = reach(vectors, [f"P{n:02}|K562" for n in range(9)])
    [sentences] = found.warnings(index.encode([Perturbation.parse("P58|K562")]))

    assert "far" not in sentences[0]
    assert found.of_library().far is None


def test_urs_drawn_alike_are_seldom_called_far():
    rng = np.random.default_rng(4)
    found, _ = reach(rng.normal(size=(MANY, 8)), [f"P{n:02}|K562" for n in range(40)])
    assert found.of_library().far <= 1


def test_the_library_in_one_line(vectors):
    found, _ = reach(vectors, [f"P{n:02}|K562" for n in range(55)])
    told = found.of_library()

    assert (told.without_ur, told.never_measured, told.far) == (1, 5, 1)
    assert told.contexts_never_measured == ("Jurkat",)
    assert told.sentence == (
        "Of 60 perturbagens 5 were never measured, 1 have no UR and 1 have a UR that is far from "
        "every measured one. No measurement in: Jurkat."
    )


def test_a_library_without_urs_is_not_blamed_for_it():
    found, index = reach(np.zeros((MANY, 0)), ["P00|K562"])
    told = found.of_library()
    [sentences] = found.warnings(index.encode([Perturbation.parse("P01|K562")]))

    assert (told.without_ur, told.far) == (None, None)
    assert told.sentence.startswith("Of 60 perturbagens 59 were never measured.")
    assert "identity alone" in sentences[0]


@pytest.mark.slow
def test_twenty_thousand_perturbagens_take_seconds():
    rng = np.random.default_rng(5)
    count = 20_000
    vectors = rng.normal(size=(count, 544))
    held = Library(tuple(Perturbagen(f"G{at}") for at in range(count)), ("K562",), (1,))
    whole = Representations(vectors, np.ones(count, dtype=bool), np.eye(1), np.zeros((count, 1)))
    index = LibraryIndex(held)
    measured = index.encode([Perturbation.parse(f"G{at}|K562") for at in range(0, count, 10)])
    started = time.perf_counter()

    told = Reach(held, whole, measured).of_library()

    assert told.far is not None
    assert told.far < 0.03 * count
    assert time.perf_counter() - started < 30


def test_before_anything_was_measured_all_is_out_of_reach(vectors):
    found, index = reach(vectors, [])
    [sentences] = found.warnings(index.encode([Perturbation.parse("P00+P01|K562")]))

    assert len(sentences) == 3
    assert found.of_library().never_measured == MANY
