import hashlib
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import (
    DoseError,
    InvalidError,
    UnknownContextError,
    UnknownPerturbagenError,
)
from loop.domain.library import Library
from loop.domain.perturbation import Dose, Perturbagen, Perturbation
from loop.encoding import LibraryIndex, identities
from loop.ports.arrays import Combinations

DRUGS = (
    Perturbagen("zinc", kind="compound", doses=(Dose(1.0, "uM"), Dose(0.1, "uM"))),
    Perturbagen("MYC"),
    Perturbagen("aspirin", kind="compound", doses=(Dose(5.0, "uM"),)),
)


def library(**changes):
    given_ = {"perturbagens": DRUGS, "contexts": ("K562", "HeLa"), "orders": (1, 2)}
    return Library(**{**given_, **changes})


def parsed(*keys):
    return [Perturbation.parse(key) for key in keys]


def test_positions_follow_the_library_and_slots_ascend():
    index = LibraryIndex(library())

    found = index.encode(parsed("MYC+zinc@0.1uM|HeLa", "aspirin@5 uM|K562", "|HeLa"))

    assert found.components.tolist() == [[0, 1], [2, -1], [-1, -1]]
    assert found.levels.tolist() == [[1, 0], [0, -1], [-1, -1]]
    assert found.contexts.tolist() == [1, 0, 1]


def test_nothing_encodes_to_no_rows():
    index = LibraryIndex(library())

    found = index.encode([])

    assert found.components.shape == (0, 2)
    assert index.decode(found) == []


@settings(deadline=None)
@given(st.lists(st.integers(0, 11), max_size=20))
def test_decoding_undoes_encoding(rows):
    index = LibraryIndex(library())
    space = index.space()
    assert len(space) == 2 * (4 + 5)

    perturbations = index.decode(space.unrank(np.array(rows, dtype=np.int64)))

    assert space.rank(index.encode(perturbations)).tolist() == rows


@pytest.mark.parametrize(
    ("key", "error", "sentence"),
    [
        ("MYCN|K562", UnknownPerturbagenError, "'MYCN'.*Did you mean 'MYC'"),
        ("MYC|K652", UnknownContextError, "'K652'.*Did you mean 'K562'"),
        ("zinc|K562", DoseError, "needs a dose"),
        ("zinc@2uM|K562", DoseError, "no dose 2uM"),
        ("MYC@1uM|K562", DoseError, "no dose 1uM"),
        ("MYC+zinc@1uM+aspirin@5uM|K562", InvalidError, "names 3 perturbagens.* 2 together"),
    ],
)
def test_what_the_library_does_not_hold_is_refused(key, error, sentence):
    with pytest.raises(error, match=sentence):
        LibraryIndex(library()).encode(parsed("MYC|K562", key))


@pytest.mark.parametrize(
    ("component", "level", "context"),
    [(3, 0, 0), (-2, 0, 0), (0, 2, 0), (0, -1, 0), (1, 1, 0), (0, 0, 2), (0, 0, -1)],
)
def test_positions_that_are_not_in_the_library_are_refused(component, level, context):
    wrong = Combinations(
        np.array([[0, -1], [component, -1]]),
        np.array([[0, -1], [level, -1]]),
        np.array([0, context]),
    )

    with pytest.raises(InvalidError, match="Row 1 does not belong to this library"):
        LibraryIndex(library()).decode(wrong)


def test_the_space_of_a_library_is_every_combination_less_what_is_forbidden():
    forbidden = frozenset({frozenset({"MYC", "zinc"})})
    index = LibraryIndex(library(forbidden=forbidden))

    space = index.space()

    asked = index.encode(parsed("MYC+zinc@1uM|K562", "MYC+aspirin@5uM|K562"))
    assert space.on_offer() == len(space) - 2 * 2
    assert space.permitted(asked).tolist() == [False, True]
    assert (space.rank(asked) >= 0).all()


def test_the_space_of_a_library_with_a_list_is_that_list():
    allowed = tuple(parsed("MYC+zinc@1uM|K562", "MYC|HeLa", "zinc@0.1uM|K562"))
    index = LibraryIndex(library(allowed=allowed, forbidden=frozenset({frozenset({"MYC"})})))

    space = index.space()

    assert index.decode(space.unrank(np.arange(len(space)))) == list(allowed)
    assert space.on_offer() == 1
    assert space.rank(index.encode(parsed("zinc@1uM|K562"))).tolist() == [-1]


def test_identities_are_the_first_bytes_of_the_hash_of_the_key():
    found = identities(parsed("zinc@1uM+MYC|K562", "|K562"))

    assert found.dtype == np.uint64
    digest = hashlib.sha256(b"MYC+zinc@1uM|K562").digest()
    assert int(found[0]) == int.from_bytes(digest[:8], "big")
    assert identities([]).shape == (0,)


def test_identities_of_a_pair_screen_are_distinct_and_do_not_hang_on_its_order():
    names = [f"gene{i}" for i in range(100)]
    keys = [f"{one}+{other}|K562" for one, other in combinations(names, 2)]
    turned = [f"{other}+{one}|K562" for one, other in combinations(names, 2)]

    found = identities(parsed(*keys))

    assert len(np.unique(found)) == len(keys)
    assert np.array_equal(found, identities(parsed(*turned)))


LEVELS = (
    Perturbagen("low", doses=(Dose(0.1, "uM"), Dose(1.0, "uM"), Dose(9.0, "uM"))),
    Perturbagen("high", doses=(Dose(5.0, "uM"),)),
    Perturbagen("gene"),
)


def keys_of(index, space):
    every = space.unrank(np.arange(len(space)))
    return {each.key for each in index.decode(every[space.permitted(every)])}


@pytest.mark.parametrize("listed", [False, True])
def test_above_a_ceiling_nothing_is_a_candidate_and_everything_below_it_is(listed):
    free = LibraryIndex(library(perturbagens=LEVELS, contexts=("K562",)))
    everything = keys_of(free, free.space())
    ceilings = {"low": Dose(1.0, "uM"), "high": Dose(1.0, "uM")}
    allowed = tuple(Perturbation.parse(key) for key in sorted(everything)) if listed else None
    index = LibraryIndex(
        library(perturbagens=LEVELS, contexts=("K562",), ceilings=ceilings, allowed=allowed)
    )
    space = index.space()

    assert keys_of(index, space) == {
        key for key in everything if "low@9uM" not in key and "high" not in key
    }
    assert space.on_offer() == 5
    above = index.encode(parsed("low@9uM|K562", "gene+low@9uM|K562"))
    assert space.rank(above).tolist() == [-1, -1]
