"""What a campaign asks of its next batch, and what it knows when it asks."""

import numpy as np
import pytest

from loop.asking import check_constraints, known_of, question_of
from loop.choose import Known
from loop.domain.errors import ConflictingConstraintsError
from loop.domain.perturbation import Perturbation
from loop.ports.engine import Compute
from loop.standing import Standing
from tests.loop.campaigning import TINY, bench

BOUND = (
    TINY.with_("batch", reference=["G01+G02|K562"], replicates=2, max_uses_per_perturbagen=4)
    .with_("constraints", must_include=["G03+G04|K562", "G05+G06|K562"], money=99, well_cost=0.5)
    .with_("constraints", diversity=0.4)
)
REFERENCES = [Perturbation.parse("G01+G02|K562")]


def standing(desk):
    return Standing(desk.record, desk.services.read_inputs(desk.record.campaign))


def test_a_question_is_what_the_campaign_file_says(tmp_path):
    desk = bench(tmp_path, BOUND)
    now = standing(desk)
    question = question_of(desk.services, now, REFERENCES)
    assert question.readouts == desk.record.campaign.readouts
    assert (question.audit, question.replicates, question.orders) == (0.2, 2, (2,))
    assert (question.limits.max_uses, question.limits.money) == (4, 99)
    assert question.limits.diversity == 0.4
    assert question.limits.costs.tolist() == [2.0] * 12
    assert question.limits.well_cost == 1.0
    assert question.compute == Compute()
    assert question.checkpoint == desk.services.settings.home / "checkpoints" / "tiny" / "scan"
    names = [each.key for each in now.index.decode(now.space.unrank(question.required))]
    assert names == ["G03+G04|K562", "G05+G06|K562"]


def test_before_the_first_result_nothing_is_known(tmp_path):
    desk = bench(tmp_path, BOUND)
    known = known_of(standing(desk), REFERENCES, None, informed=False)
    assert (known.surrogate, known.best, known.training) == (None, None, None)
    assert len(known.taken) == 1
    assert len(known.pending) == 0


def test_measured_and_pending_wells_are_known_and_a_must_have_is_asked_for_once(tmp_path):
    desk = bench(tmp_path, BOUND)
    desk.measured()
    batch = desk.dispatched()
    now = standing(desk)
    known = known_of(now, REFERENCES, object(), informed=False)
    question = question_of(desk.services, now, REFERENCES)
    assert known.best is not None
    assert len(known.training.combinations) == len(desk.record.observed.by_key)
    assert len(known.pending) == len(batch.choices)
    chosen = now.addresses(each.perturbation for each in batch.choices)
    assert np.isin(chosen, known.taken).all()
    assert not len(question.still_required(known.taken))
    blind = known_of(now, REFERENCES, object(), informed=True)
    assert (blind.best, blind.training) == (None, None)


def test_what_is_left_to_choose_from_decides_what_can_be_kept(tmp_path):
    few = TINY.with_("constraints", money=24).with_table(
        "genes.csv", "id,cost\n" + "".join(f"G{n:02d},{1 if n < 5 else 3}\n" for n in range(1, 13))
    )
    desk = bench(tmp_path, few)
    now = standing(desk)
    question = question_of(desk.services, now, [])
    check_constraints(now, question, known_of(now, [], None, False), 6, "batch.size")

    # Once the six pairs of the four cheap genes are gone, each choice costs four at least.
    cheap = [f"G{a:02d}+G{b:02d}|K562" for a in range(1, 5) for b in range(a + 1, 5)]
    gone = now.addresses(map(Perturbation.parse, cheap))
    later = Known(None, gone, now.index.encode([]))
    check_constraints(now, question, later, 6, "batch.size")
    with pytest.raises(ConflictingConstraintsError, match=r"--size 7 and constraints.money = 24; "):
        check_constraints(now, question, later, 7, "--size")
