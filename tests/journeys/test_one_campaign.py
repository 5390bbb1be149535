"""One campaign through the command line, from a file to its second batch, in either lab."""

import json
from pathlib import Path

import pytest

from tests.journeys.campaign_folder import (
    CampaignFolder,
    filled_template,
    job_folder,
    read_csv,
    write_table,
)
from tests.journeys.command_line import CommandLine

SIMULATED = CampaignFolder("sim").with_("lab", adapter="simulated", dead=0.0)


@pytest.fixture
def pertloop(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def test_a_csv_campaign_runs_from_init_to_its_second_batch(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    made = pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    assert (made["campaign"]["name"], made["perturbagens"], made["candidates"]) == ("tiny", 12, 66)
    assert pertloop.document("status", "tiny")["next_step"].endswith("pertloop propose tiny")

    first = pertloop.document("propose", "tiny")
    assert (first["id"], first["state"], len(first["choices"])) == ("tiny.b1", "proposed", 6)
    assert pertloop.document("propose", "tiny") == first
    assert "pertloop approve tiny.b1" in pertloop.document("status", "tiny")["next_step"]

    assert pertloop.document("approve", "tiny.b1")["state"] == "approved"
    assert "pertloop dispatch tiny.b1" in pertloop.document("status", "tiny")["next_step"]

    dispatch = pertloop.document("dispatch", "tiny.b1")
    assert pertloop.document("dispatch", "tiny.b1") == dispatch
    assert "pertloop ingest tiny" in pertloop.document("status", "tiny")["next_step"]
    job = job_folder(pertloop.home, "csv", "tiny", "tiny.b1")
    planned = {row["perturbation_id"] for row in read_csv(job / "plate_map.csv")} - {""}
    assert planned == {
        name
        for choice in first["choices"]
        for name in choice["perturbation"].split("|")[0].split("+")
    }

    results = filled_template(job, tmp_path / "results.csv")
    (ingested,) = pertloop.document("ingest", "tiny", results)
    assert (ingested["again"], ingested["file"]["accepted"]) == (False, 9)
    assert ingested["batches"][0]["state"] == "complete"
    (again,) = pertloop.document("ingest", "tiny", results)
    assert again["again"]
    status = pertloop.document("status", "tiny")
    assert (status["tested"], status["pending"]) == (6, 0)
    assert "pertloop retrain tiny" in status["next_step"]

    snapshot = pertloop.document("retrain", "tiny")["snapshot"]
    assert snapshot["state"] == "champion"
    assert pertloop.document("retrain", "tiny")["again"]
    assert "pertloop propose tiny" in pertloop.document("status", "tiny")["next_step"]

    second = pertloop.document("propose", "tiny", "--size", 9)
    assert (second["id"], second["snapshot"]) == ("tiny.b2", snapshot["id"])
    assert {choice["chosen_by"] for choice in second["choices"]} == {"audit", "acquisition"}
    chosen = [c["perturbation"] for batch in (first, second) for c in batch["choices"]]
    assert len(set(chosen)) == 15
    assert (
        second["choices"][0]["belief"]["gi"]["low"] < second["choices"][0]["belief"]["gi"]["high"]
    )
    assert pertloop.document("db", "check") == {"findings": []}


def test_the_simulated_lab_brings_its_results_by_itself(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", SIMULATED.write(tmp_path / "files"))
    for number in (1, 2):
        batch = pertloop.document("propose", "sim")
        assert batch["number"] == number
        pertloop.document("approve", batch["id"])
        pertloop.document("dispatch", batch["id"])

        (ingested,) = pertloop.document("ingest", "sim")

        assert ingested["batches"][0]["state"] == "complete"
        assert pertloop.document("ingest", "sim") == []
        assert pertloop.document("retrain", "sim")["snapshot"]["number"] == number
    lines = pertloop.document("status", "sim")["rounds"]
    assert [line["tested"] for line in lines] == [6, 12]
    assert lines[1]["scores"]["coverage90"] is not None


def test_a_round_reads_well_to_a_person(pertloop: CommandLine, tmp_path: Path) -> None:
    assert "Next: pertloop propose sim" in pertloop.text(
        "init", SIMULATED.write(tmp_path / "files")
    )
    assert "Next: pertloop approve sim.b1" in pertloop.text("propose", "sim")
    assert "Next: pertloop dispatch sim.b1" in pertloop.text("approve", "sim.b1")
    dispatched = pertloop.text("dispatch", "sim.b1")
    assert "1 plate(s), 9 wells" in dispatched
    assert f"Its files: {job_folder(pertloop.home, 'simulated', 'sim', 'sim.b1')}" in dispatched
    assert "Batch sim.b1 is complete." in pertloop.text("ingest", "sim")
    assert "learned from 7 observations" in pertloop.text("retrain", "sim")
    assert "Nothing new to learn" in pertloop.text("retrain", "sim")
    assert "sim.b1" in pertloop.text("batches", "sim")
    assert "sim" in pertloop.text("campaigns")
    assert "adopted" in pertloop.text("snapshots", "sim")
    assert "interaction" in pertloop.text("predict", "sim", "G01+G02|K562")
    assert "Choose the next batch" in pertloop.text("status", "sim")
    assert "Everything is in order." in pertloop.text("db", "check")


def test_what_was_done_can_be_asked_for(pertloop: CommandLine, tmp_path: Path) -> None:
    two_rounds(pertloop, tmp_path)

    assert [each["name"] for each in pertloop.document("campaigns")] == ["sim"]
    assert [each["state"] for each in pertloop.document("batches", "sim")] == ["complete"] * 2
    first, second = pertloop.document("snapshots", "sim")
    assert (second["parent"], second["state"]) == (first["id"], "champion")
    went_back = pertloop.document("snapshots", "sim", "--adopt", first["id"][:8])
    assert [each["state"] for each in went_back] == ["champion", "retired"]
    assert pertloop.document("rejected", "sim") == []
    measured = pertloop.document("batches", "sim")[0]["choices"][0]["perturbation"]
    known, pair, control = pertloop.document("predict", "sim", measured, "G02+G01|K562", "|K562")
    assert known["measured"] is not None
    assert pair["perturbation"] == "G01+G02|K562"
    assert set(pair["contributions"]) == {"G01", "G02"}
    assert control["interaction"] is None


def test_a_report_is_one_page_that_needs_nothing_else(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    two_rounds(pertloop, tmp_path)
    page = tmp_path / "report.html"

    assert pertloop.document("report", "sim", "-o", page) == {"report": str(page)}
    html = page.read_text(encoding="utf-8")
    assert "<svg" in html
    assert "sim.b2" in html
    assert not any(word in html for word in ("<script", 'src="http', "@import", "<link"))


def test_a_size_for_a_batch_that_is_still_open_is_said_to_be_unused(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    assert pertloop.run("propose", "tiny", "--size", 5).err == ""

    said = pertloop.run("propose", "tiny", "--size", 9, "--json")

    assert (said.code, len(json.loads(said.out)["choices"])) == (0, 5)
    assert said.err == "Batch tiny.b1 is still open; --size was not used.\n"


def test_what_the_lab_has_no_news_of_is_said(pertloop: CommandLine, tmp_path: Path) -> None:
    pertloop.document("init", SIMULATED.write(tmp_path / "files"))
    pertloop.document("propose", "sim")
    pertloop.document("approve", "sim.b1")
    pertloop.document("dispatch", "sim.b1")
    assert "Next: pertloop retrain sim" in pertloop.text("ingest", "sim")

    assert pertloop.text("ingest", "sim") == "The lab has no new results.\n"


def test_a_batch_without_a_number_is_not_said_to_be_learned_from(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    pertloop.document("propose", "tiny")
    pertloop.document("approve", "tiny.b1")
    pertloop.document("dispatch", "tiny.b1")
    job = job_folder(pertloop.home, "csv", "tiny", "tiny.b1")

    told = pertloop.text("ingest", "tiny", job / "results_template.csv")

    assert "Batch tiny.b1 is failed." in told
    assert "Next:" not in told


def test_a_lab_s_files_may_be_taken_without_their_bad_rows(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    pertloop.document("propose", "tiny")
    pertloop.document("approve", "tiny.b1")
    pertloop.document("dispatch", "tiny.b1")
    job = job_folder(pertloop.home, "csv", "tiny", "tiny.b1")
    table = read_csv(filled_template(job, tmp_path / "results.csv"))
    table[2]["value"] = "n/a"
    write_table(job / "results.csv", table)

    assert "'n/a'" in pertloop.refusal("ingest", "tiny")
    (ingested,) = pertloop.document("ingest", "tiny", "--keep-good")
    assert (ingested["file"]["accepted"], ingested["file"]["rejected"]) == (8, 1)


def test_bad_rows_are_set_aside_and_can_be_downloaded(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    pertloop.document("propose", "tiny")
    pertloop.document("approve", "tiny.b1")
    pertloop.document("dispatch", "tiny.b1")
    job = job_folder(pertloop.home, "csv", "tiny", "tiny.b1")
    table = read_csv(filled_template(job, tmp_path / "results.csv"))
    table[2]["value"] = "n/a"
    bad = write_table(tmp_path / "bad.csv", table)

    (ingested,) = pertloop.document("ingest", "tiny", bad, "--keep-good")

    assert (ingested["file"]["accepted"], ingested["file"]["rejected"]) == (8, 1)
    assert ingested["batches"][0]["state"] == "partial"
    (row,) = pertloop.document("rejected", "tiny")
    assert (row["line"], "'n/a'" in row["reason"]) == (4, True)
    assert pertloop.run("rejected", "tiny", "-o", tmp_path / "rejected.csv").code == 0
    (downloaded,) = read_csv(tmp_path / "rejected.csv")
    assert (downloaded["line"], downloaded["why"]) == ("4", row["reason"])


def test_another_value_is_a_revision_that_marks_what_learned_from_the_old_one(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    pertloop.document("propose", "tiny")
    pertloop.document("approve", "tiny.b1")
    pertloop.document("dispatch", "tiny.b1")
    job = job_folder(pertloop.home, "csv", "tiny", "tiny.b1")
    pertloop.document("ingest", "tiny", filled_template(job, tmp_path / "results.csv"))
    pertloop.document("retrain", "tiny")
    table = read_csv(tmp_path / "results.csv")
    table[0]["value"] = "9.75"
    mended = write_table(tmp_path / "mended.csv", table)

    (ingested,) = pertloop.document("ingest", "tiny", mended)

    counts = {key: ingested["file"][key] for key in ("accepted", "superseded", "unchanged")}
    assert counts == {"accepted": 1, "superseded": 1, "unchanged": 8}
    assert pertloop.document("snapshots", "tiny")[0]["stale"]
    assert not pertloop.document("retrain", "tiny")["again"]


def test_a_rejected_batch_makes_room_for_another(pertloop: CommandLine, tmp_path: Path) -> None:
    pertloop.document("init", CampaignFolder().write(tmp_path / "files"))
    pertloop.document("propose", "tiny")

    assert pertloop.document("reject", "tiny.b1", "--why", "plates late")["why"] == "plates late"
    assert pertloop.document("propose", "tiny")["id"] == "tiny.b2"


def test_a_restored_backup_gives_the_same_answers_and_goes_on(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    two_rounds(pertloop, tmp_path)
    pertloop.document("propose", "sim")
    pertloop.document("approve", "sim.b3")
    pertloop.document("dispatch", "sim.b3")
    backup = tmp_path / "backup.tar.gz"
    other = CommandLine(tmp_path / "elsewhere" / "home")

    assert pertloop.document("db", "backup", backup) == {"backup": str(backup)}
    assert other.document("db", "restore", backup) == {"restored": str(backup)}

    questions = (
        ("campaigns",),
        ("status", "sim"),
        ("batches", "sim"),
        ("snapshots", "sim"),
        ("predict", "sim", "G01+G02|K562"),
        ("propose", "sim"),
        ("dispatch", "sim.b3"),
        ("db", "check"),
    )
    for question in questions:
        assert other.document(*question) == pertloop.document(*question)
    (ingested,) = other.document("ingest", "sim")
    assert ingested["batches"][0]["state"] == "complete"
    assert "database" in other.document("db", "upgrade")["upgrade"].lower()


def test_usage_errors_exit_with_2_and_leave_nothing(tmp_path: Path) -> None:
    pertloop = CommandLine(tmp_path / "home")
    for words in (
        ("propse", "tiny"),
        ("init",),
        ("propose", "tiny", "--size", "many"),
        ("propose", "tiny", "--size", "0"),
        ("propose", "tiny", "--size", "-3"),
        ("reject", "tiny.b1"),
        ("predict", "tiny"),
        ("replay", "table.csv", "--readout", "gi"),
        ("demo", "--rounds", "0"),
    ):
        said = pertloop.run(*words)
        assert said.code == 2, (words, said)
        assert said.out == ""
        assert "Traceback" not in said.err
    assert not pertloop.home.exists()


def two_rounds(pertloop: CommandLine, folder: Path) -> None:
    """Bring the simulated campaign through two rounds."""
    pertloop.document("init", SIMULATED.write(folder / "files"))
    for number in (1, 2):
        pertloop.document("propose", "sim")
        pertloop.document("approve", f"sim.b{number}")
        pertloop.document("dispatch", f"sim.b{number}")
        pertloop.document("ingest", "sim")
        pertloop.document("retrain", "sim")


def test_the_same_seed_chooses_the_same_batches(tmp_path: Path) -> None:
    homes = [CommandLine(tmp_path / name) for name in ("one", "two")]
    for pertloop in homes:
        two_rounds(pertloop, pertloop.home.parent / f"{pertloop.home.name}-files")

    chosen = [
        json.dumps([batch["choices"] for batch in pertloop.document("batches", "sim")])
        for pertloop in homes
    ]
    assert chosen[0] == chosen[1]
