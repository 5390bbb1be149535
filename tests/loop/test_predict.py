import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.batch import PredictedReadout
from loop.domain.errors import (
    CampaignNotFoundError,
    DoseError,
    InvalidError,
    NothingMeasuredError,
    UnknownContextError,
    UnknownPerturbagenError,
)
from loop.domain.perturbation import Perturbation
from loop.evidence import Near
from loop.ports.arrays import Belief
from loop.predict import _parts, predict
from tests.journeys.campaign_folder import GENES, csv_text
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
        assert evidence.near is Near.SHARED
        assert evidence.value == desk.record.observed.value(evidence.key, "gi")
        assert (evidence.replicates, evidence.round) == (1, 1)


def test_what_nothing_measured_touches_has_no_evidence(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=1))
    [choice] = desk.measured().choices
    desk.retrain()
    used = {part.perturbagen for part in choice.perturbation.components}
    free = sorted({f"G{n:02}" for n in range(1, 13)} - used)
    [told] = predict(desk.services, "tiny", [f"{free[0]}+{free[1]}|K562"])
    assert (told.measured, told.evidence) == (None, ())


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        ("G99+G01|K562", UnknownPerturbagenError, "'G99' .* Did you mean 'G09'"),
        ("G01+G02|K526", UnknownContextError, "'K526' .* Did you mean 'K562'"),
        ("G01@1uM|K562", DoseError, "no dose 1uM; the library lists no doses at all"),
        ("G01+G02", InvalidError, "names no context"),
        ("G01+G01|K562", InvalidError, "twice"),
        ("G01+G02+G03|K562", InvalidError, "allows 2"),
    ],
)
def test_what_the_library_does_not_hold_is_refused_with_what_is_missing(desk, key, error, says):
    with pytest.raises(error, match=says):
        predict(desk.services, "tiny", ["G01+G02|K562", key])


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Order up to 3 in two contexts, a Gaussian process on URs; G12 knows none, G11 is far."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 3))
    rows[10], rows[11] = 40.0, 0.0
    table = csv_text([("id", "a", "b", "c"), *((g, *r) for g, r in zip(GENES, rows, strict=True))])
    folder = TINY.with_table("urs.csv", table).with_table("allowed.csv", ALLOWED)
    folder = folder.with_("library", order=None, allowed="allowed.csv", embeddings="urs.csv")
    folder = folder.with_("library", contexts=["K562", "Jurkat"]).with_("batch", size=30)
    desk = bench(tmp_path_factory.mktemp("learned"), folder.with_("surrogate", name=PROCESS))
    desk.measured()
    desk.retrain()
    return desk


PROCESS = "gaussian-process"
ALLOWED = "perturbation\n" + "".join(
    f"{key}|K562\n"
    for key in (
        *GENES[:10],
        *(f"{GENES[at]}+{GENES[at + step]}" for step in (1, 2) for at in range(10 - step)),
        *("+".join(GENES[at : at + 3]) for at in range(3)),
    )
)


@given(
    picked=st.sets(st.sampled_from(GENES), max_size=3), context=st.sampled_from(["K562", "Jurkat"])
)
@settings(max_examples=15, deadline=None)
def test_the_parts_of_a_real_belief_sum_to_its_mean(learned, picked, context):
    [told] = predict(learned.services, "tiny", ["+".join(picked) + f"|{context}"])
    assert set(told.parts) == set(told.belief) == {"gi"}
    parts = told.parts["gi"]
    added = [parts.control, *parts.additive.values(), *parts.pairs.values(), parts.rest]
    assert math.fsum(added) == pytest.approx(told.belief["gi"].mean, rel=1e-9, abs=1e-12)
    assert parts.mean == told.belief["gi"].mean
    assert (told.contributions, told.interaction) == (parts.additive, parts.interaction)


def test_every_readout_is_taken_apart_on_its_own():
    pair = Perturbation.parse("A+B|K562")
    means = {"|K562": 1.0, "A|K562": 3.0, "B|K562": 0.0, "A+B|K562": 7.0}
    beliefs = {
        key: {name: PredictedReadout(by * mean, 1, 1, 0, 0) for name, by in (("gi", 1), ("x", -10))}
        for key, mean in means.items()
    }
    parts = _parts(pair, beliefs)
    assert parts["gi"].additive == {"A": 2.0, "B": -1.0}
    assert parts["x"].additive == {"A": -20.0, "B": 10.0}
    assert (parts["gi"].pairs, parts["x"].pairs) == ({"A+B": 5.0}, {"A+B": -50.0})


def test_a_measured_perturbation_was_moved_first_by_its_own_well(learned):
    for each in learned.record.tested:
        [told] = predict(learned.services, "tiny", [each.key])
        own, *others = told.influence.most
        assert own.key == each.key
        assert own.own
        assert [well.round for well in own.wells] == [1]
        sizes = [abs(move.moved) for move in others]
        assert sizes == sorted(sizes, reverse=True)
        assert len(others) <= 4


def test_the_moves_sum_to_the_belief_less_the_mean_of_what_was_measured(learned):
    record = learned.record
    [told] = predict(learned.services, "tiny", ["G01+G05|K562"])
    values = [by["gi"].mean for by in record.observed.by_key.values()]
    assert told.influence.exact
    assert told.influence.observations == len(values)
    moved = told.belief["gi"].mean - np.mean(values)
    assert told.influence.total == pytest.approx(moved, abs=1e-4)


def test_a_surrogate_that_cannot_say_what_moved_it_says_nothing(desk):
    [told] = predict(desk.services, "tiny", ["G01+G02|K562"])
    assert told.influence is None


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("G01+G12|K562", "G12 was never measured and has no UR"),
        ("G01+G11|K562", "G11 was never measured"),
        ("G01+G02|Jurkat", "Nothing was measured in context 'Jurkat'"),
    ],
)
def test_what_is_out_of_reach_is_warned_of_and_answered_with_doubt(learned, key, says):
    within, out = predict(learned.services, "tiny", ["G01+G02|K562", key])
    assert within.warnings == ()
    [warning] = out.warnings
    assert says in warning
    assert out.belief["gi"].epistemic_sd > within.belief["gi"].epistemic_sd


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
