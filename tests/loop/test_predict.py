import numpy as np
import pytest

from loop.domain.errors import (
    CampaignNotFoundError,
    DoseError,
    InvalidError,
    NothingMeasuredError,
    UnknownContextError,
    UnknownPerturbagenError,
)
from loop.ports.arrays import Belief
from loop.predict import predict
from tests.loop.campaigning import TINY, bench


@pytest.fixture
def desk(tmp_path):
    ready = bench(tmp_path, TINY.with_("batch", size=20))
    ready.measured()
    ready.retrain()
    return ready


def test_a_prediction_is_calibrated_and_comes_with_its_parts(desk):
    asked = ["G02+G01|K562", "G01|K562", "|K562"]
    pair, single, control = predict(desk.services, "tiny", asked)
    assert pair.perturbation.key == "G01+G02|K562"
    assert pair.belief["gi"].low < pair.belief["gi"].mean < pair.belief["gi"].high
    assert set(pair.contributions) == {"G01", "G02"}
    assert pair.interaction is not None
    assert (set(single.contributions), single.interaction) == ({"G01"}, None)
    assert (control.contributions, control.interaction) == ({}, None)
    # The surrogate believes the same of everything, so nothing adds to the control.
    assert pair.contributions == {"G01": 0.0, "G02": 0.0}


def test_the_parts_add_up_to_the_whole(desk, monkeypatch):
    monkeypatch.setattr("surrogate.random_belief.RandomBelief.believe", _counting)
    [told] = predict(desk.services, "tiny", ["G02+G04|K562"])
    # 10 for nothing, 1 and 3 for the two alone, 100 for being two.
    assert told.belief["gi"].mean == 10 + 1 + 3 + 100
    assert told.contributions == {"G02": 1.0, "G04": 3.0}
    assert told.interaction == 100.0


def _counting(_, combinations):
    parts = combinations.components
    mean = 10.0 + np.where(parts >= 0, parts, 0).sum(axis=1) + 100.0 * ((parts >= 0).sum(1) == 2)
    return Belief(mean[:, None], np.ones((len(parts), 1)), np.ones((len(parts), 1)))


def test_the_nearest_evidence_shares_most_and_the_measured_value_is_told(desk):
    measured = [each.key for each in desk.record.tested]
    [told] = predict(desk.services, "tiny", [measured[0]])
    assert told.measured == desk.record.observed.value(measured[0], "gi")
    mine = set(measured[0].split("|")[0].split("+"))
    assert 0 < len(told.evidence) <= 3
    for evidence in told.evidence:
        theirs = set(evidence.key.split("|")[0].split("+"))
        assert evidence.key != measured[0]
        assert evidence.shared == len(mine & theirs) == 1
        assert evidence.value == desk.record.observed.value(evidence.key, "gi")


def test_what_nothing_measured_touches_has_no_evidence(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=1))
    [choice] = desk.measured().choices
    desk.retrain()
    used = {part.perturbagen for part in choice.perturbation.components}
    free = sorted({f"G{n:02}" for n in range(1, 13)} - used)
    [told] = predict(desk.services, "tiny", [f"{free[0]}+{free[1]}|K562"])
    assert (told.measured, told.evidence) == (None, ())


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("G99+G01|K562", UnknownPerturbagenError),
        ("G01+G02|HeLa", UnknownContextError),
        ("G01@1uM|K562", DoseError),
        ("G01+G02", InvalidError),
        ("G01+G01|K562", InvalidError),
        ("G01+G02+G03|K562", InvalidError),
    ],
)
def test_what_the_library_does_not_hold_is_refused(desk, key, error):
    with pytest.raises(error):
        predict(desk.services, "tiny", ["G01+G02|K562", key])


def test_before_learning_there_is_no_prediction(tmp_path):
    desk = bench(tmp_path)
    with pytest.raises(NothingMeasuredError, match="no surrogate yet"):
        predict(desk.services, "tiny", ["G01+G02|K562"])
    with pytest.raises(CampaignNotFoundError):
        predict(desk.services, "tinny", ["G01+G02|K562"])


def test_predicting_nothing_predicts_nothing(desk):
    assert predict(desk.services, "tiny", []) == []


def test_predicting_changes_nothing(desk):
    before = desk.record
    predict(desk.services, "tiny", ["G01+G02|K562"])
    assert desk.record == before
