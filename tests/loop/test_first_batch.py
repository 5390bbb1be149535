"""A campaign with an earlier screen: the first batch follows it, and status says what it brings."""

from dataclasses import replace
from itertools import combinations

import pytest

from loop.domain.batch import ChosenBy
from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.status import campaign_status
from tests.journeys.campaign_folder import GENES
from tests.loop.campaigning import TINY, bench, honest


def table(sign=1.0):
    """An earlier screen of the same pairs, in which what `honest` measures is nearly seen."""
    lines = ["a,b,growth"]
    for first, second in combinations(range(1, len(GENES) + 1), 2):
        value = (first * 7 + second * 11) % 41 / 10 - 2
        lines.append(f"G{first:02d},G{second:02d},{sign * value:.2f}")
    return "\n".join(lines) + "\n"


INFORMED = (
    TINY.with_("surrogate", name="linear")
    .with_("acquisition", name="auto")
    .with_("batch", size=12)
    .with_("[prior]", table="earlier.csv", perturbagens=["a", "b"])
    .with_table("earlier.csv", table())
)


def test_three_quarters_of_the_first_batch_follow_the_earlier_screen(tmp_path):
    desk = bench(tmp_path, INFORMED)
    batch = desk.propose()

    by_lot = [each for each in batch.choices if each.chosen_by is ChosenBy.AUDIT]
    followed = [each for each in batch.choices if each.chosen_by is ChosenBy.ACQUISITION]
    assert (len(by_lot), len(followed)) == (3, 9)
    assert batch.surrogate == "prior"
    assert batch.snapshot is None
    assert not any(each.belief for each in batch.choices)
    assert "SDs of earlier screens" in followed[0].reason


def test_what_was_followed_turns_out_as_the_earlier_screen_said(tmp_path):
    desk = bench(tmp_path, INFORMED)
    batch = desk.measured()

    followed = [c.perturbation.key for c in batch.choices if c.chosen_by is ChosenBy.ACQUISITION]
    hits = {each.key for each in desk.record.hits}
    assert len(hits.intersection(followed)) >= 7


def test_the_first_batch_is_the_same_when_proposed_again_elsewhere(tmp_path):
    first, second = (bench(tmp_path / name, INFORMED).propose() for name in "ab")

    assert [c.perturbation.key for c in first.choices] == [
        c.perturbation.key for c in second.choices
    ]


def test_status_says_what_the_earlier_screen_brings(tmp_path):
    desk = bench(tmp_path, INFORMED.with_("surrogate", name="gaussian-process"))
    for _ in range(2):
        desk.measured()
        desk.retrain()

    told = [n for n in campaign_status(desk.services, desk.name).notes if "Prior evidence" in n]

    assert len(told) == 1
    assert "earlier.csv, growth" in told[0]
    assert "helps" in told[0]


@pytest.mark.parametrize(
    ("keys", "content", "sentence"),
    [
        ({"perturbagens": []}, table(), "prior.perturbagens"),
        ({"perturbagens": ["a", "x"]}, table(), "no column 'x'"),
        ({"readout": "grwth"}, table(), "no column 'grwth'"),
        ({"perturbagens": "a,b"}, table(), "prior.perturbagens"),
        ({}, table().replace("G", "H"), "shares no perturbagen"),
        ({}, "a,b,growth\nG01,G02,1\nG01,G03,2\nG02,G03,3\n", "fewer than 20"),
    ],
)
def test_a_prior_that_cannot_be_read_is_refused_with_a_sentence(tmp_path, keys, content, sentence):
    campaign = INFORMED.with_("[prior]", **keys).with_table("earlier.csv", content)

    with pytest.raises((CampaignFileError, UnreadableFileError), match=sentence):
        bench(tmp_path, campaign)


def test_until_the_surrogate_has_learned_the_best_value_is_not_mixed_with_earlier_units(tmp_path):
    """Measured values are in the campaign's unit, beliefs in SDs of the earlier screen."""
    thousands = INFORMED.with_("readout", threshold=None)
    thousands = replace(thousands, top={"goal": "maximize"})
    desk = bench(tmp_path, thousands)
    desk.measured(value_of=lambda plate, well: f"{1000 + float(honest(plate, well)):.2f}")

    batch = desk.propose()

    followed = [each for each in batch.choices if each.chosen_by is ChosenBy.ACQUISITION]
    assert len(followed) == 9
    assert not any("100" in each.reason for each in followed)
