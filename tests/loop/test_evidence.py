from types import SimpleNamespace

import numpy as np
import pytest

from loop.domain.library import Library
from loop.domain.observation import fold
from loop.domain.perturbation import Dose, Perturbagen, Perturbation
from loop.encoding import LibraryIndex
from loop.evidence import MeasuredEvidence, Near
from loop.ports.arrays import Representations
from loop.representation import log_doses
from loop.ur_distance import UrDistance

NAMES = ("A", "A2", "B", "B2", "C", "D", "E", "F")


def measured_evidence(measured, doses=(), vectors=None):
    """Evidence where only these were measured, the n-th with value n; A2 is like A, B2 like B."""
    held = Library(tuple(Perturbagen(name, doses=doses) for name in NAMES), ("K", "L"), (1, 2, 3))
    if vectors is None:
        vectors = np.eye(8)[[0, 0, 1, 1, 2, 3, 4, 5]] + 0.05 * np.eye(8)
    urs = Representations(
        vectors,
        vectors.any(axis=1),
        np.eye(2),
        log_doses([[dose.value for dose in doses]] * len(NAMES)),
    )
    by_key = {}
    for at, key in enumerate(measured):
        perturbation = Perturbation.parse(key)
        by_key[perturbation.key] = {"gi": fold(perturbation, "gi", [float(at)])}
    record = SimpleNamespace(
        campaign=SimpleNamespace(readout=SimpleNamespace(name="gi")),
        observed=SimpleNamespace(by_key=by_key, corrected={}),
        batches=(),
        dispatches=(),
    )
    standing = SimpleNamespace(
        record=record, inputs=SimpleNamespace(representations=urs), index=LibraryIndex(held)
    )
    found = MeasuredEvidence(standing, UrDistance(urs))
    return lambda key: found.nearest(Perturbation.parse(key))


def told(found):
    return [(each.key, each.near) for each in found]


def test_other_contexts_come_first_then_shared_then_similar():
    nearest = measured_evidence(["A+B|L", "A+C|K", "A+B2|K", "A2+B2|K", "D+E|K", "A+B|K"])
    assert told(nearest("A+B|K")) == [
        ("A+B|L", Near.CONTEXT),
        ("A+B2|K", Near.SHARED),
        ("A+C|K", Near.SHARED),
        ("A2+B2|K", Near.UR),
        ("D+E|K", Near.UR),
    ]


def test_what_shares_more_comes_before_what_is_more_alike():
    nearest = measured_evidence(["A+B+F|K", "A+B2|K", "A|K", "B|L"])
    found = nearest("A+B|K")
    assert found[0].key == "A+B+F|K"
    assert [each.shared for each in found] == [2, 1, 1]
    assert found[1].key == "A+B2|K"
    assert found[1].distance < found[2].distance


def test_the_same_context_comes_before_others():
    found = measured_evidence(["A+C|L", "A+C|K"])("A+B|K")
    assert [each.key for each in found] == ["A+C|K", "A+C|L"]


def test_nearer_doses_come_first():
    doses = tuple(Dose(value, "uM") for value in (0.1, 1.0, 10.0))
    found = measured_evidence(["A@0.1uM|K", "A@10uM|K", "A@0.1uM|L"], doses)("A@0.1uM|K")
    assert told(found) == [("A@0.1uM|L", Near.CONTEXT), ("A@10uM|K", Near.SHARED)]
    found = measured_evidence(["A@0.1uM|K", "A@1uM|K"], doses)("A@10uM|K")
    assert [each.key for each in found] == ["A@1uM|K", "A@0.1uM|K"]


def test_at_most_three_of_a_kind_are_told():
    measured = [f"A+{name}|K" for name in NAMES[2:]] + [f"{name}|K" for name in NAMES[2:]]
    found = measured_evidence(measured)("A|K")
    assert [each.near for each in found] == [Near.SHARED] * 3 + [Near.UR] * 3


def test_without_urs_only_what_is_shared_is_near():
    nearest = measured_evidence(["A+C|K", "D+E|K"], vectors=np.zeros((8, 0)))
    [only] = nearest("A+B|K")
    assert (only.key, only.near, only.distance) == ("A+C|K", Near.SHARED, None)


@pytest.mark.parametrize(("key", "nearest"), [("|K", ["|L"]), ("|L", [])])
def test_only_another_control_is_near_a_control(key, nearest):
    found = measured_evidence(["|L", "A+B|K", "A|L"])(key)
    assert [each.key for each in found] == nearest


def test_before_anything_was_measured_there_is_none():
    assert measured_evidence([])("A+B|K") == ()
