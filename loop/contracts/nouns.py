"""One of each noun, for suites and tests that need something to store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from loop.domain.batch import Batch, Choice, ChosenBy, Forecast, PredictedReadout
from loop.domain.campaign import (
    BatchRules,
    Campaign,
    LabRules,
    PluginChoice,
    RetrainRules,
)
from loop.domain.dispatch import Dispatch
from loop.domain.goal import Goal, Readout
from loop.domain.log import LogEntry
from loop.domain.observation import Measurement, RejectedRow, ResultsFile, WellStatus
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.domain.snapshot import Snapshot, SnapshotState

MOMENT = datetime(2026, 11, 23, 6, 30, 0, 123456, tzinfo=UTC)


def a_campaign(name: str = "k562", minutes: float = 0.0) -> Campaign:
    """A campaign, made some minutes after `MOMENT`."""
    return Campaign(
        name=name,
        goal=Goal.FIND_HITS,
        seed=2**70,
        readouts=(Readout("gi", "sd", low=-1.966, high=1.818), Readout("growth")),
        library_hash="a" * 64,
        embeddings_hash=None,
        batch=BatchRules(size=8, reference=("A+B|K562",)),
        surrogate=PluginChoice("ensemble", {"members": 16, "rate": 1e-3}),
        acquisition=PluginChoice("auto"),
        lab=LabRules(settings={"noise": 0.5, "edge": True, "reader": "µ-plate"}),
        retrain=RetrainRules(every="0 2 * * *", after_observations=64),
        created_at=MOMENT + timedelta(minutes=minutes),
        budget=768,
    )


def a_batch(campaign: str = "k562", number: int = 1) -> Batch:
    """A proposed batch: one choice with a belief, one audit well."""
    return Batch(
        id=f"{campaign}-{number:03d}",
        campaign=campaign,
        number=number,
        choices=(
            Choice(
                perturbation=Perturbation.parse("A@0.5uM+B@1uM|K562"),
                chosen_by=ChosenBy.ACQUISITION,
                score=0.25,
                reason="Its 90 % interval reaches past the threshold.",
                belief={"gi": PredictedReadout(1.5, 0.5, 0.25, -float("inf"), 3.0)},
            ),
            Choice(
                perturbation=Perturbation.parse("C|K562"),
                chosen_by=ChosenBy.AUDIT,
                score=None,
                reason="Drawn uniformly at random.",
                belief={},
                inclusion_probability=1e-9,
            ),
        ),
        seed=number,
        surrogate="ensemble",
        acquisition="auto",
        snapshot=None,
        created_at=MOMENT,
    )


def a_reasoned_batch(campaign: str = "k562", number: int = 1) -> Batch:
    """The same with ranks, contributions, notes and a forecast."""
    batch = a_batch(campaign, number)
    chosen, audit = batch.choices
    return replace(
        batch,
        choices=(replace(chosen, rank=1, contribution=0.75), audit),
        forecast=Forecast(0.75, 0.0, 2.0, 0.25, "hits"),
        notes=("Rated all 66 candidates.", 'A limit bound: "at most 2 uses" of µ.'),
    )


def a_dispatch(batch: Batch, key: str | None = None) -> Dispatch:
    """A batch on two plates, with a control and an empty well."""
    wells = (
        Well("B02", Role.TREATMENT, Perturbation.parse("A@0.5uM+B@1uM|K562")),
        Well("A01", Role.NEGATIVE, Perturbation.parse("|K562"), 2),
        Well("H12", Role.EMPTY, None),
    )
    return Dispatch(
        key=key or f"key-of-{batch.id}",
        batch=batch.id,
        adapter="csv",
        plates=(
            Plate(f"{batch.id}-P2", "0002", PlateFormat.P96, wells),
            Plate(f"{batch.id}-P1", "0001", PlateFormat.P384, wells[:1]),
        ),
        layout_seed=11,
        created_at=MOMENT,
    )


def a_file(name: str = "plate.csv", sha256: str = "f" * 64) -> ResultsFile:
    """A file that was ingested."""
    return ResultsFile(
        sha256=sha256,
        name=name,
        accepted=2,
        unchanged=0,
        superseded=0,
        rejected=1,
        ingested_at=MOMENT,
    )


def a_measurement(
    well: str = "B02", value: float | None = 1.25, revision: int = 1, source: str = "f" * 64
) -> Measurement:
    """One number from one well."""
    return Measurement(
        plate="k562-001-P1",
        well=well,
        readout="gi",
        value=value,
        unit="sd",
        status=WellStatus.MISSING if value is None else WellStatus.OK,
        source=source,
        measured_at="2026-11-23T06:30",
        flag="",
        revision=revision,
    )


def a_rejected_row(line: int = 7) -> RejectedRow:
    """A row that no well wanted, with bytes that were no text."""
    return RejectedRow("f" * 64, line, 'P9,"Q25"\t\x00\udcff\\n,µ', "Well 'Q25' is not on a plate.")


def a_snapshot(campaign: str = "k562", number: int = 1, snapshot_id: str = "c" * 64) -> Snapshot:
    """A champion."""
    return Snapshot(
        id=snapshot_id,
        campaign=campaign,
        number=number,
        surrogate="ensemble",
        parent=None,
        data_hash="d" * 64,
        observations=128,
        seed=2**65,
        code_version="0.1.0",
        scores={"rmse": 0.5, "spearman": None, "nll": float("inf")},
        verdict="The first is always adopted.",
        created_at=MOMENT,
        state=SnapshotState.CHAMPION,
    )


def a_log_entry(what: str = "k562-001") -> LogEntry:
    """One thing that was done."""
    return LogEntry(MOMENT, "ada", "approve", what, "cli", 'why: "looks\x00 good"')
