import math
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.batch import Batch, Choice, ChosenBy
from loop.domain.campaign import LabRules
from loop.domain.errors import LayoutError
from loop.domain.perturbation import Perturbation
from loop.domain.plate import PlateFormat, Role
from loop.layout import LEAST_NEGATIVES, check_capacity, lay_out


def batch_of(size, contexts=1, replicates=1, chosen_by=ChosenBy.ACQUISITION):
    choices = tuple(
        Choice(
            Perturbation.parse(f"G{number}+H{number}|c{number % contexts}"),
            chosen_by,
            None,
            "",
            {},
        )
        for number in range(size)
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Batch("camp.b1", "camp", 1, choices, 0, "random", "random", None, now, replicates)


def laid_out(batch, lab, seed=0):
    return lay_out(batch, lab, np.random.default_rng(seed))


def treatments(plate):
    return [well for well in plate.wells if well.role is Role.TREATMENT]


BATCHES = st.builds(
    batch_of, st.integers(1, 260), contexts=st.integers(1, 4), replicates=st.integers(1, 4)
)
LABS = st.builds(
    LabRules,
    plate=st.sampled_from(PlateFormat),
    negative=st.integers(0, 16),
    positive=st.integers(0, 8),
    positive_key=st.just("P|c0"),
)


@given(batch=BATCHES, lab=LABS, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_choice_is_made_as_often_as_asked_and_every_plate_has_its_controls(batch, lab, seed):
    plates = laid_out(batch, lab, seed)

    made = Counter(well.perturbation for plate in plates for well in treatments(plate))
    assert made == {choice.perturbation: batch.replicates for choice in batch.choices}
    for plate in plates:
        roles = Counter(well.role for well in plate.wells)
        used = {well.perturbation.context for well in plate.wells}
        negative = Counter(
            well.perturbation.context for well in plate.wells if well.role is Role.NEGATIVE
        )
        assert roles[Role.POSITIVE] == lab.positive
        assert roles[Role.NEGATIVE] == (
            max(lab.negative, LEAST_NEGATIVES * len(used)) if lab.negative else 0
        )
        if lab.negative:
            assert set(negative) == used
            assert max(negative.values()) - min(negative.values()) <= 1
            assert min(negative.values()) >= LEAST_NEGATIVES


@given(batch=BATCHES, lab=LABS, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_plates_are_filled_alike_and_replicates_lie_apart(batch, lab, seed):
    plates = laid_out(batch, lab, seed)

    filled = [len(treatments(plate)) for plate in plates]
    assert max(filled) - min(filled) <= 1
    for plate in plates:
        most = max(Counter(well.perturbation for well in treatments(plate)).values())
        assert most <= math.ceil(batch.replicates / len(plates))


@given(batch=BATCHES, lab=LABS, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_same_seed_gives_the_same_plates_and_ids_are_all_different(batch, lab, seed):
    plates = laid_out(batch, lab, seed)

    assert plates == laid_out(batch, lab, seed)
    assert [plate.id for plate in plates] == [
        f"camp.b1.p{number}" for number in range(1, len(plates) + 1)
    ]
    assert len({plate.barcode for plate in plates}) == len(plates)
    replicates = [(well.perturbation, well.replicate) for plate in plates for well in plate.wells]
    assert len(set(replicates)) == len(replicates)


def test_wells_are_listed_by_row_and_column_and_barcodes_follow_from_ids():
    (plate,) = laid_out(batch_of(40), LabRules(plate=PlateFormat.P96))

    positions = [plate.format.position(well.name) for well in plate.wells]

    assert positions == sorted(positions)
    assert plate.barcode == "PLDC4C8B7B"


def test_a_batch_takes_as_few_plates_as_hold_it_with_its_controls():
    lab = LabRules(plate=PlateFormat.P96, negative=8)

    assert len(laid_out(batch_of(88), lab)) == 1
    assert [len(plate.wells) for plate in laid_out(batch_of(89), lab)] == [53, 52]


def test_every_role_reaches_every_part_of_the_plate():
    lab = LabRules(plate=PlateFormat.P384, negative=16, positive=16, positive_key="P|c0")
    quarters = {role: Counter() for role in Role}
    for seed in range(40):
        (plate,) = laid_out(batch_of(96), lab, seed)
        for well in plate.wells:
            row, column = plate.format.position(well.name)
            quarters[well.role][row >= 8, column >= 12] += 1

    for role in (Role.TREATMENT, Role.NEGATIVE, Role.POSITIVE):
        total = sum(quarters[role].values())
        assert all(abs(count / total - 0.25) < 0.06 for count in quarters[role].values())


def test_roles_follow_from_why_a_perturbation_was_chosen():
    for chosen_by, role in (
        (ChosenBy.ACQUISITION, Role.TREATMENT),
        (ChosenBy.AUDIT, Role.TREATMENT),
        (ChosenBy.REQUIRED, Role.TREATMENT),
        (ChosenBy.REFERENCE, Role.REFERENCE),
    ):
        (plate,) = laid_out(batch_of(3, chosen_by=chosen_by), LabRules(negative=0))
        assert {well.role for well in plate.wells} == {role}


def test_a_positive_control_of_another_context_brings_its_negative_ones():
    lab = LabRules(negative=4, positive=2, positive_key="P|elsewhere")

    (plate,) = laid_out(batch_of(10), lab)

    negative = Counter(w.perturbation.context for w in plate.wells if w.role is Role.NEGATIVE)
    assert negative == {"c0": 3, "elsewhere": 3}


def test_controls_that_fill_the_plate_are_refused():
    lab = LabRules(plate=PlateFormat.P96, negative=90, positive=6, positive_key="P|c0")

    with pytest.raises(LayoutError, match="90 negative and 6 positive controls leave no room"):
        laid_out(batch_of(1), lab)


def test_more_contexts_than_a_plate_has_room_for_are_refused():
    with pytest.raises(LayoutError, match=r"leave no room on a 96-well plate \(40 contexts\)"):
        laid_out(batch_of(80, contexts=40), LabRules(plate=PlateFormat.P96, negative=1))


@pytest.mark.parametrize(
    ("key", "sentence"), [(None, "set lab.positive_key"), ("P", "names no context")]
)
def test_positive_controls_without_a_perturbation_are_refused(key, sentence):
    with pytest.raises(LayoutError, match=sentence):
        laid_out(batch_of(1), LabRules(positive=2, positive_key=key))


def test_a_batch_without_choices_is_refused():
    with pytest.raises(LayoutError, match="holds no perturbation"):
        laid_out(batch_of(0), LabRules())


def test_how_much_a_plate_holds_can_be_asked_before_there_is_a_batch():
    lab = LabRules(plate=PlateFormat.P96, negative=8, positive=2)
    assert check_capacity(lab, 1) == 86
    assert check_capacity(lab, 4) == 96 - 4 * LEAST_NEGATIVES - 2
    with pytest.raises(LayoutError, match="no room"):
        check_capacity(lab, 32)
