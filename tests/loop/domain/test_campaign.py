from dataclasses import replace

import pytest

from loop.contracts.nouns import a_campaign
from loop.domain.campaign import BatchRules, LabRules
from loop.domain.errors import BudgetSpentError, CampaignFileError
from loop.domain.goal import Direction, Goal, Normalization, Readout


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "a b", "a/b", "../x", "a" * 65, "ä", "a_b", "a\n"]
)
def test_a_name_that_could_not_be_part_of_a_plate_id_is_refused(name):
    with pytest.raises(CampaignFileError, match="letters, digits"):
        a_campaign(name)


def test_hits_cannot_be_found_without_a_threshold():
    with pytest.raises(CampaignFileError, match="needs a threshold for readout 'gi'"):
        replace(a_campaign(), readouts=(Readout("gi"),))
    maximizing = replace(a_campaign(), goal=Goal.MAXIMIZE, readouts=(Readout("gi"),))
    assert maximizing.readout.name == "gi"


def test_a_state_to_reach_needs_a_target_and_no_other_goal_has_use_for_one():
    wanted = (Readout("gi"), Readout("growth", target=1.2, weight=2.0))
    with pytest.raises(CampaignFileError, match=r"needs readout.target, .* of 'gi', 'growth'"):
        replace(a_campaign(), goal=Goal.REACH_STATE, readouts=(Readout("gi"), Readout("growth")))
    with pytest.raises(CampaignFileError, match=r"readout.target is given for 'growth' .*'maximi"):
        replace(a_campaign(), goal=Goal.MAXIMIZE, readouts=wanted)
    assert replace(a_campaign(), goal=Goal.REACH_STATE, readouts=wanted).readouts == wanted


def test_a_front_needs_two_readouts_that_each_say_which_side_is_better():
    up, down, both = (
        Readout("gi", direction=Direction.UP),
        Readout("growth", direction=Direction.DOWN),
        Readout("size"),
    )
    with pytest.raises(CampaignFileError, match=r"two readouts or more, and only 'gi'"):
        replace(a_campaign(), goal=Goal.PARETO, readouts=(up,))
    with pytest.raises(CampaignFileError, match=r"readout 'size' .* readout.direction is 'both'"):
        replace(a_campaign(), goal=Goal.PARETO, readouts=(up, both))
    assert replace(a_campaign(), goal=Goal.PARETO, readouts=(up, down)).readouts == (up, down)


def test_two_readouts_of_one_name_are_refused():
    with pytest.raises(CampaignFileError, match="'gi' is given 2 times"):
        replace(a_campaign(), readouts=(Readout("gi", high=1.0), Readout("gi", unit="sd")))


def test_negative_controls_cannot_be_subtracted_where_there_are_none():
    readouts = (
        Readout("gi", high=1.0),
        Readout("growth", normalization=Normalization.SUBTRACT_NEGATIVE),
    )
    with pytest.raises(CampaignFileError, match=r"'growth' has .* but lab.negative = 0"):
        replace(a_campaign(), readouts=readouts, lab=LabRules(negative=0))
    assert replace(a_campaign(), readouts=readouts, lab=LabRules(negative=1)).readouts == readouts


def test_a_batch_is_as_large_as_the_rules_say_unless_asked_otherwise():
    campaign = replace(a_campaign(), budget=0, batch=BatchRules(size=8))
    assert campaign.next_size(None, 10**6) == 8
    assert campaign.next_size(3, 10**6) == 3


def test_a_budget_can_be_spent_to_the_last_but_not_beyond():
    campaign = replace(a_campaign(), budget=20, batch=BatchRules(size=8))
    assert campaign.next_size(None, 12) == 8
    with pytest.raises(BudgetSpentError, match=r"has 7 of 20 perturbations left .* 8 were asked"):
        campaign.next_size(None, 13)
    with pytest.raises(BudgetSpentError, match="has 0 of 20"):
        campaign.next_size(1, 25)
