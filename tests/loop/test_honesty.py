from dataclasses import replace

import numpy as np
import pytest

from loop.contracts.nouns import a_snapshot
from loop.domain.batch import ChosenBy
from loop.domain.dispatch import Dispatch
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.honesty import Kept, coverage, drift, noise_warning, tails, warnings
from tests.fakes import FixedClock
from tests.loop.campaigning import TINY, bench

NOW = FixedClock().now()


def scored(**scores):
    return replace(a_snapshot(), scores=scores)


def test_noise_that_replicates_do_not_show_is_told_with_its_consequence():
    more = noise_warning(scored(noise_sd=0.9, replicate_sd=0.3))
    less = noise_warning(scored(noise_sd=0.2, replicate_sd=0.4))
    assert "0.9, more than replicates show (0.3)" in more
    assert more.endswith("come out too narrow.")
    assert "0.2, less than replicates show (0.4)" in less
    assert less.endswith("come out too wide.")


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"noise_sd": 1.0, "replicate_sd": None},
        {"noise_sd": 1.4, "replicate_sd": 1.0},
        {"noise_sd": 1.0, "replicate_sd": 1.4},
    ],
)
def test_noise_that_agrees_or_cannot_be_checked_is_not_mentioned(scores):
    assert noise_warning(scored(**scores)) is None
    assert noise_warning(None) is None


def test_heavy_tails_are_told_where_a_normal_belief_could_not_have_them():
    assert tails(scored(far_out=5 / 160, audit_wells=160.0)).startswith("Heavy tails: 5 of 160")
    assert tails(scored(far_out=1 / 160, audit_wells=160.0)) is None
    assert tails(scored(far_out=8 / 3000, audit_wells=3000.0)) is None
    assert tails(scored(audit_wells=160.0)) is None
    assert tails(None) is None


@pytest.mark.parametrize(
    ("wells", "inside", "too_few"),
    [(0, 0, False), (5, 4, False), (40, 34, False), (40, 30, True), (100, 80, True)],
)
def test_coverage_is_too_small_only_where_chance_does_not_bring_it(wells, inside, too_few):
    assert Kept(wells, inside).too_few is too_few


def dispatch(number, values):
    """A batch whose wells hold reference designs; `values` by design."""
    wells = tuple(
        Well(f"{'ABC'[row]}{column + 1:02d}", Role.REFERENCE, Perturbation.parse(f"{key}|c"))
        for row, (key, numbers) in enumerate(values.items())
        for column in range(len(numbers))
    )
    plate = Plate(f"b{number}.p1", f"b{number}", PlateFormat.P96, wells)
    corrected = {
        (plate.id, f"{'ABC'[row]}{column + 1:02d}", "gi"): value
        for row, numbers in enumerate(values.values())
        for column, value in enumerate(numbers)
    }
    return Dispatch(f"k{number}", f"b{number}", "csv", (plate,), 0, NOW), corrected


def rounds(*values):
    made = [dispatch(number, each) for number, each in enumerate(values, start=1)]
    corrected = {place: value for _, each in made for place, value in each.items()}
    return [each for each, _ in made], corrected


def test_reference_designs_that_moved_between_batches_show_drift():
    rng = np.random.default_rng(1)

    def batch(shift):
        return {
            "A": 1 + shift + 0.1 * rng.normal(size=4),
            "B": -1 + shift + 0.1 * rng.normal(size=4),
        }

    moved = drift(*rounds(batch(0), batch(0), batch(0.4)), "gi")
    assert moved.significant
    assert (moved.batch, moved.wells) == ("b3", 8)
    assert moved.shift == pytest.approx(0.4, abs=0.12)
    assert moved.noise == pytest.approx(0.1, rel=0.4)
    assert moved.errors > 5
    still = drift(*rounds(batch(0), batch(0), batch(0)), "gi")
    assert not still.significant
    assert drift(*rounds(batch(0), batch(0)), "other readout") is None


def test_without_drift_chance_hardly_ever_raises_the_alarm():
    rng = np.random.default_rng(3)
    alarms = [
        drift(
            *rounds(*[{"A": rng.normal(size=3), "B": rng.normal(size=3)} for _ in range(3)]), "gi"
        )
        for _ in range(400)
    ]
    assert sum(each.significant for each in alarms) <= 3


@pytest.mark.parametrize(
    "values",
    [
        [{"A": [1.0, 2.0, 3.0, 4.0]}],
        [{"A": [1.0, 1.2, 0.8]}, {"A": [1.1, 0.9]}],
        [{"A": [1.0, 1.2, 0.8, 1.1, 0.7]}, {"B": [1.0, 1.2, 0.8, 1.1, 0.7]}],
        [{}, {"A": [1.0] * 9}],
    ],
)
def test_without_enough_to_compare_nothing_is_said_of_drift(values):
    assert drift(*rounds(*values), "gi") is None


def lying(tmp_path, held):
    """A campaign whose second batch was predicted, and whose intervals held or did not."""
    desk = bench(tmp_path, TINY.with_("batch", size=24, audit=0.1))
    desk.measured()
    desk.retrain()
    desk.measured()
    record = desk.record
    last = record.batches[-1]

    def told(choice):
        value = record.observed.value(choice.perturbation.key, "gi")
        off = 0.0 if held or choice.chosen_by is ChosenBy.AUDIT else 9.0
        belief = replace(
            choice.belief["gi"], mean=value + off, low=value + off - 1, high=value + off + 1
        )
        return replace(choice, belief={"gi": belief})

    batch = replace(last, choices=tuple(told(choice) for choice in last.choices))
    return replace(record, batches=(*record.batches[:-1], batch))


def test_chosen_wells_are_told_apart_from_audit_wells(tmp_path):
    record = lying(tmp_path, held=False)
    found = coverage(record)
    assert found.audit == Kept(2, 2)
    assert (found.chosen.wells, found.chosen.inside) == (22, 0)
    [sentence] = warnings(record)
    assert sentence.startswith("Beware: 90 % intervals held 0 of the newest 22 chosen wells (0%)")
    assert "ranking" in sentence


def test_promises_that_were_kept_need_no_words(tmp_path):
    record = lying(tmp_path, held=True)
    assert coverage(record).chosen.share == 1.0
    assert warnings(record) == ()


def test_before_anything_was_predicted_there_is_no_coverage(tmp_path):
    desk = bench(tmp_path)
    desk.measured()
    assert coverage(desk.record).chosen.share is None
    assert warnings(desk.record) == ()
