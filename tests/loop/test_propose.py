from dataclasses import replace

import numpy as np
import pytest

from loop.domain.batch import BatchState, ChosenBy
from loop.domain.errors import (
    BudgetSpentError,
    CampaignNotFoundError,
    InvalidError,
    NotEnoughCandidatesError,
    StaleCampaignError,
)
from loop.propose import propose_batch
from loop.review import approve, reject
from loop.services import build
from loop.settings import Settings
from tests.loop.campaigning import TINY, bench


def keys(batch):
    return [choice.perturbation.key for choice in batch.choices]


def three_batches(folder, campaign=TINY, services=None):
    """The choices of three rounds, learning in between."""
    desk = bench(folder, campaign, services)
    batches = []
    for _ in range(3):
        batches.append(desk.measured())
        desk.retrain()
    return [(keys(each), each.seed) for each in batches]


def test_the_same_seed_makes_the_same_batches(tmp_path):
    first = three_batches(tmp_path / "a")
    assert three_batches(tmp_path / "b") == first


def test_the_same_seed_makes_the_same_batches_on_a_real_database(tmp_path):
    first = three_batches(tmp_path / "a")
    services = build(Settings(home=tmp_path / "b" / "home"))
    (tmp_path / "b").mkdir(exist_ok=True)
    assert three_batches(tmp_path / "b", TINY, services) == first


def test_another_seed_makes_other_batches(tmp_path):
    first = three_batches(tmp_path / "a")
    other = three_batches(tmp_path / "b", replace(TINY, top={"seed": 8}))
    assert all(mine != theirs for mine, theirs in zip(first, other, strict=True))


def test_no_perturbation_is_proposed_twice_until_all_are_measured(tmp_path):
    desk = bench(tmp_path)
    seen = [key for _ in range(11) for key in keys(desk.measured())]
    assert len(seen) == len(set(seen)) == 66
    with pytest.raises(NotEnoughCandidatesError, match=r"Every candidate .* nothing left"):
        desk.propose()


def test_the_first_batch_is_drawn_by_lot_and_says_so(tmp_path):
    batch = bench(tmp_path).propose()
    assert batch.acquisition == "lot"
    assert batch.snapshot is None
    for choice in batch.choices:
        assert choice.chosen_by is ChosenBy.AUDIT
        assert choice.score is None
        assert choice.belief == {}
        assert choice.inclusion_probability == pytest.approx(6 / 66)
        assert choice.reason.endswith("random wells judge every later belief.")


def test_later_batches_hold_audit_wells_with_their_chance_and_beliefs(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=10, audit=0.2))
    desk.measured()
    champion = desk.retrain().snapshot
    batch = desk.propose()
    audit = [choice for choice in batch.choices if choice.chosen_by is ChosenBy.AUDIT]
    assert batch.snapshot == champion.id
    assert len(audit) == 2
    assert {each.inclusion_probability for each in audit} == {2 / 56}
    for choice in batch.choices:
        believed = choice.belief["gi"]
        assert believed.low < believed.mean < believed.high
        assert choice.reason
        assert (choice.inclusion_probability is None) == (choice.chosen_by is not ChosenBy.AUDIT)


def test_proposing_again_returns_the_open_batch_at_every_step(tmp_path):
    desk = bench(tmp_path)
    batch = desk.propose()
    assert desk.propose() == batch
    assert desk.propose(size=3) == batch
    approve(desk.services, batch.id)
    assert desk.propose().id == batch.id
    assert desk.dispatched().id == batch.id
    assert desk.propose().id == batch.id
    with desk.services.storage.reading() as work:
        assert len(work.batches.of("tiny")) == 1
        assert [entry.verb for entry in work.log.of("tiny")] == [
            "init",
            "propose",
            "approve",
            "dispatch",
        ]


def test_after_a_rejection_there_is_a_new_batch_and_everything_is_on_offer(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=66))
    first = desk.propose()
    reject(desk.services, first.id, "wrong genes")
    second = desk.propose()
    assert (second.number, second.id) == (2, "tiny.b2")
    assert sorted(keys(second)) == sorted(keys(first))
    assert keys(second) != keys(first)


def test_after_the_first_results_the_next_batch_avoids_what_is_still_out(tmp_path):
    desk = bench(tmp_path)
    batch = desk.dispatched()
    rows = desk.rows(batch.id, lambda plate, well: "0.1")
    desk.ingest(rows[:4])
    assert desk.batch(batch.id).state is BatchState.PARTIAL
    assert not set(keys(desk.propose())) & set(keys(batch))


@pytest.mark.parametrize("size", [67, 1000])
def test_more_than_is_left_is_refused_with_numbers_and_nothing_is_written(tmp_path, size):
    desk = bench(tmp_path)
    before = desk.record
    with pytest.raises(NotEnoughCandidatesError, match=f"{size} perturbations .* 66 are left"):
        desk.propose(size)
    assert desk.record == before
    assert len(desk.propose(66).choices) == 66


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_holds_something(tmp_path, size):
    with pytest.raises(InvalidError, match="at least one"):
        bench(tmp_path).propose(size)


def test_the_budget_counts_all_but_rejected_batches(tmp_path):
    desk = bench(tmp_path, replace(TINY, top={"budget": 10}))
    reject(desk.services, desk.propose().id, "no")
    desk.measured()
    before = desk.record
    with pytest.raises(BudgetSpentError, match=r"4 of 10 perturbations left .* 6 were asked"):
        desk.propose()
    assert desk.record == before
    assert len(desk.measured(4).choices) == 4
    with pytest.raises(BudgetSpentError, match="0 of 10"):
        desk.propose(1)


def test_reference_designs_repeat_in_every_batch_and_are_chosen_by_nothing_else(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", reference=["G02+G01|K562"]))
    for _ in range(10):
        batch = desk.measured()
        chosen_by = {c.perturbation.key: c.chosen_by for c in batch.choices}
        assert len(batch.choices) == len(chosen_by) == 6
        assert chosen_by["G01+G02|K562"] is ChosenBy.REFERENCE
        assert list(chosen_by.values()).count(ChosenBy.REFERENCE) == 1
        desk.retrain()
    observation = desk.record.observed.by_key["G01+G02|K562"]["gi"]
    assert observation.replicates == 10


def test_references_must_leave_room(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=1, reference=["G01+G02|K562"]))
    with pytest.raises(NotEnoughCandidatesError, match="no room beside its 1 reference"):
        desk.propose()


def test_an_unknown_campaign_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(CampaignNotFoundError, match="tiny"):
        propose_batch(bench(tmp_path).services, "tinny")


class Interrupted:
    """A storage in which somebody else acts before the first writing transaction."""

    def __init__(self, storage, act):
        self._storage, self._act, self.acted = storage, act, False

    def reading(self):
        return self._storage.reading()

    def writing(self):
        if not self.acted:
            self.acted = True
            self._act()
        return self._storage.writing()


def test_whoever_proposes_second_gets_the_batch_of_the_first(tmp_path):
    desk = bench(tmp_path)
    theirs = []
    storage = Interrupted(desk.services.storage, lambda: theirs.append(desk.propose()))
    mine = propose_batch(replace(desk.services, storage=storage), "tiny", 3)
    assert mine == theirs[0]
    assert len(mine.choices) == 6
    assert len(desk.record.batches) == 1


def test_a_change_in_between_that_leaves_no_open_batch_refuses_and_writes_nothing(tmp_path):
    desk = bench(tmp_path)

    def act():
        reject(desk.services, desk.propose().id, "no")

    storage = Interrupted(desk.services.storage, act)
    with pytest.raises(StaleCampaignError):
        propose_batch(replace(desk.services, storage=storage), "tiny")
    assert [each.state for each in desk.record.batches] == [BatchState.REJECTED]


def test_what_is_believed_is_calibrated_by_the_champion(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=30))
    desk.measured()
    desk.retrain()
    believed = [choice.belief["gi"] for choice in desk.propose().choices]
    values = np.array([float(v["gi"].mean) for v in desk.record.observed.by_key.values()])
    assert len({(b.mean, b.low, b.high) for b in believed}) == 1
    inside = (believed[0].low <= values) & (values <= believed[0].high)
    assert inside.mean() >= 0.85
