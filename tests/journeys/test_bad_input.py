"""Bad input: one sentence that says what is wrong and what to do, and nothing changes."""

import gzip
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.journeys import child
from tests.journeys.campaign_folder import (
    GENES,
    CampaignFolder,
    csv_text,
    filled_template,
    job_folder,
    read_csv,
    write_table,
)
from tests.journeys.command_line import SQLITE_FILE, CommandLine

NEW = CampaignFolder("new")


def refused(waiting: CommandLine, folder: CampaignFolder, tmp_path: Path) -> str:
    """The sentence with which `init` refuses a campaign."""
    return waiting.refusal("init", folder.write(tmp_path / "files"))


def one_round(waiting: CommandLine, name: str, tmp_path: Path) -> None:
    """Bring a campaign of the csv lab through its first round."""
    waiting.document("propose", name)
    waiting.document("approve", f"{name}.b1")
    waiting.document("dispatch", f"{name}.b1")
    job = job_folder(waiting.home, "csv", name, f"{name}.b1")
    waiting.document("ingest", name, filled_template(job, tmp_path / "round.csv"))
    waiting.document("retrain", name)


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("status", "tinny"), "'tiny'"),
        (("propose", "Tiny1"), "'tiny'"),
        (("batches", "othr"), "'other'"),
        (("report", "tinny"), "'tiny'"),
        (("retrain", "tinny"), "'tiny'"),
        (("rejected", "tinny"), "'tiny'"),
        (("snapshots", "tinny"), "'tiny'"),
        (("predict", "tinny", "G01+G02|K562"), "'tiny'"),
        (("approve", "tiny.b11"), "'tiny.b1'"),
        (("dispatch", "tiny.1"), "'tiny.b1'"),
        (("reject", "tinyb1", "--why", "late"), "'tiny.b1'"),
        (("status", "zebra"), "pertloop campaigns"),
        (("approve", "zebra"), "pertloop batches"),
        (("snapshots", "tiny", "--adopt", "deadbeef"), "no snapshot 'deadbeef'"),
        (("snapshots", "tiny", "--adopt", "de"), "too short"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    waiting: CommandLine, words: tuple[str, ...], nearest: str
) -> None:
    assert nearest in waiting.refusal(*words)


@pytest.mark.parametrize(
    ("folder", "nearest"),
    [
        (NEW.with_("surrogate", name="rando"), "'random'"),
        (NEW.with_("surrogate", name="ensamble"), "'ensemble'"),
        (NEW.with_("acquisition", name="gredy"), "'greedy'"),
        (NEW.with_("lab", adapter="simulatd"), "'simulated'"),
    ],
)
def test_an_unknown_plug_in_is_refused_with_the_nearest(
    waiting: CommandLine, tmp_path: Path, folder: CampaignFolder, nearest: str
) -> None:
    assert nearest in refused(waiting, folder, tmp_path)


# --- keys of perturbations -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("G01+G2|K562", "'G2'"),
        ("G01+G02|K526", "'K562'"),
        ("G01+G02", "context"),
        ("G01+G01|K562", "twice"),
        ("G01@0.5+G02|K562", "unit"),
        ("G01@0.5uM+G02|K562", "no doses"),
        ("G01+G02+G03|K562", "allows 2"),
        ("+G01|K562", "''"),
    ],
)
def test_predict_refuses_what_the_library_does_not_hold(
    waiting: CommandLine, results: Path, key: str, says: str
) -> None:
    waiting.document("ingest", "tiny", results)
    waiting.document("retrain", "tiny")

    assert says in waiting.refusal("predict", "tiny", key)


def test_predict_without_a_surrogate_says_what_to_do(waiting: CommandLine) -> None:
    assert "pertloop retrain" in waiting.refusal("predict", "tiny", "G01+G02|K562")


def test_retrain_without_results_says_what_to_do(waiting: CommandLine) -> None:
    assert "ingest" in waiting.refusal("retrain", "tiny")


# --- the campaign file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        (CampaignFolder("new", top={"gaol": "x"}), "'goal'"),
        (CampaignFolder("new", top={"budgte": 5}), "'budget'"),
        (NEW.with_("libary", order=2), "'library'"),
        (NEW.with_("library", perturbagen="genes.csv"), "'perturbagens'"),
        (NEW.with_("readout", treshold=1.0), "'threshold'"),
        (NEW.with_("batch", sise=4), "'size'"),
        (NEW.with_("batch", max_uses_per_gene=4), "'max_uses_per_perturbagen'"),
        (NEW.with_("retrain", after_observation=4), "'after_observations'"),
        (NEW.with_("constraints", mony=4), "'money'"),
        (NEW.with_("constraints", must_includes=["G01+G02|K562"]), "'must_include'"),
        (NEW.with_("[constraints.group]", column="kind", at_lest=1), "'at_least'"),
        (NEW.with_("[constraints.group]", colum="kind", at_least=1), "'column'"),
        (NEW.with_("surrogate", name="ensemble", membrs=4), "'members'"),
        (NEW.with_("acquisition", name="greedy", shrad=4), "'shard'"),
        (NEW.with_("lab", plat=96), "'plate'"),
        (NEW.with_("lab", positve=1), "'positive'"),
        (NEW.with_("lab", adapter="simulated", nois=0.1), "'noise'"),
        (NEW.with_("lab", adapter="simulated", negativ=3), "'negative'"),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest_right_one(
    waiting: CommandLine, tmp_path: Path, folder: CampaignFolder, says: str
) -> None:
    assert f"Did you mean {says}" in refused(waiting, folder, tmp_path)


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        (NEW.with_("library", order="two"), "library.order = 'two'"),
        (NEW.with_("library", order=-1), "-1"),
        (NEW.with_("library", order=13), "13"),
        (NEW.with_("library", contexts=[]), "library.contexts"),
        (NEW.with_("library", contexts=["K562", "K562"]), "K562"),
        (NEW.with_("library", perturbagens=None), "'library.perturbagens' is missing"),
        (NEW.with_("readout", name="a|b"), "'a|b'"),
        (NEW.with_("readout", threshold=None), "threshold"),
        (
            NEW.with_("readout", normalize="subtract-negative").with_("lab", negative=0),
            "lab.negative = 0",
        ),
        (NEW.with_("readout", threshold=[1.0, -1.0]), "threshold"),
        (NEW.with_("readout", threshold=[1.0]), "readout.threshold"),
        (NEW.with_("readout", threshold=1.0), "readout.threshold"),
        (NEW.with_("readout", direction="sideways"), "readout.direction = 'sideways'"),
        (NEW.with_("batch", size=0), "batch.size = 0"),
        (NEW.with_("batch", size=2.5), "batch.size = 2.5"),
        (NEW.with_("batch", audit=1.5), "batch.audit = 1.5"),
        (NEW.with_("lab", plate=100), "lab.plate = 100"),
        (NEW.with_("lab", positive=2), "positive_key"),
        (NEW.with_("lab", adapter="simulated", dead=2.0), "lab.dead = 2.0"),
        (NEW.with_("lab", adapter="simulated", noise="much"), "lab.noise = 'much'"),
        (NEW.with_("lab", adapter="simulated", noise=[1, 2]), "noise"),
        (NEW.with_("surrogate", name="ensemble", members="many"), "members = 'many'"),
        (CampaignFolder("new", top={"goal": "find-gold"}), "goal = 'find-gold'"),
        (CampaignFolder("new", top={"goal": "reach-state"}), "readout.target"),
        (CampaignFolder("new", top={"goal": "pareto"}), "two readouts or more"),
        (NEW.with_("readout", target=1.0), "goal = 'reach-state'"),
        (NEW.with_("readout", weight=2.0), "add target"),
        (NEW.with_("readout", target="high"), "readout.target = 'high'"),
        (NEW.with_("batch", explore=1.5), "batch.explore = 1.5"),
        (NEW.with_("batch", first="best"), "batch.first = 'best'"),
        (NEW.with_("constraints", money=-1), "constraints.money = -1"),
        (NEW.with_("constraints", well_cost=1.0), "add money"),
        (NEW.with_("constraints", max_plates=1.5), "constraints.max_plates = 1.5"),
        (NEW.with_("constraints", diversity=2), "constraints.diversity = 2"),
        (NEW.with_("constraints", must_include="G01+G02|K562"), "write a list"),
        (NEW.with_("constraints.max_dose", G01=3), "constraints.max_dose.G01 = 3"),
        (NEW.with_("[constraints.group]", column="kind"), "at_least or at_most"),
        (CampaignFolder("new", top={"seed": -1}), "seed = -1"),
        (CampaignFolder("new", top={"seed": "x"}), "seed = 'x'"),
        (CampaignFolder("new one"), "name = 'new one'"),
        (CampaignFolder("tiny"), "'tiny'"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(
    waiting: CommandLine, tmp_path: Path, folder: CampaignFolder, says: str
) -> None:
    assert says in refused(waiting, folder, tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name = 'x\n", "not valid TOML"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\xff\xfe\x00n", "not UTF-8"),
        (b"name = 'x'\nname = 'y'\n", "not valid TOML"),
        (b"name = 'x'\n", "missing"),
        (b"library = 5\nname = 'x'\ngoal = 'find-hits'\nreadout = 3\n", "library"),
    ],
)
def test_a_broken_campaign_file_is_refused(
    waiting: CommandLine, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "campaign.toml"
    path.write_bytes(content)

    assert says in waiting.refusal("init", path)


def test_missing_files_and_folders_are_named(waiting: CommandLine, tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    assert str(absent) in waiting.refusal("init", absent)
    assert str(tmp_path) in waiting.refusal("init", tmp_path)
    assert "nowhere.csv" in refused(
        waiting, NEW.with_("library", perturbagens="nowhere.csv"), tmp_path
    )
    assert "absent.csv" in waiting.refusal("ingest", "tiny", tmp_path / "absent.csv")
    assert str(tmp_path) in waiting.refusal("ingest", "tiny", tmp_path)
    assert "absent.csv" in replay_refusal(waiting, tmp_path / "absent.csv")
    assert str(tmp_path) in replay_refusal(waiting, tmp_path)
    assert "absent.gz" in waiting.refusal("db", "restore", tmp_path / "absent.gz")
    assert "nowhere" in waiting.refusal("report", "tiny", "-o", tmp_path / "nowhere" / "r.html")
    assert "nowhere" in waiting.refusal("rejected", "tiny", "-o", tmp_path / "nowhere" / "r.csv")


# --- tables of the campaign ------------------------------------------------------------------


def with_genes(content: str) -> CampaignFolder:
    """A campaign with another perturbagen table."""
    return NEW.with_table("genes.csv", content)


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        (with_genes("idd,kind\nA,gene\nB,gene\n"), "Did you mean 'idd'?"),
        (with_genes("id,kind\n"), "no rows"),
        (with_genes(""), "empty"),
        (with_genes("id,kind\nA,gene\nA,gene\n"), "'A'"),
        (with_genes("id,kind\nA,gene\nB\n"), "row 3"),
        (with_genes("id,id\nA,gene\nB,gene\n"), "two columns"),
        (with_genes("id,kind\nA+B,gene\nC,gene\n"), "'A+B'"),
        (with_genes("id,kind\n,gene\nC,gene\n"), "''"),
        (with_genes("id,cost\nA,cheap\nC,1\n"), "'cheap'"),
        (with_genes("id,cost\nA,nan\nC,1\n"), "'nan'"),
        (with_genes("id,cost\nA,-1\nC,1\n"), "-1"),
        (with_genes("id,doses\nA,0.1 1\nB,0.1\n"), "no unit"),
        (with_genes("id,doses,dose_unit\nA,0.1 lots,uM\nB,0.1,uM\n"), "'0.1 lots'"),
        (with_genes("id,doses,dose_unit\nA,0 1,uM\nB,0.1,uM\n"), "0"),
        (with_genes("id,doses,dose_unit\nA,1 1,uM\nB,0.1,uM\n"), "twice"),
        (
            NEW.with_("library", forbidden="f.csv").with_table("f.csv", "a,b\nG01,G99\n"),
            "'G99'",
        ),
        (
            NEW.with_("library", allowed="a.csv").with_table("a.csv", "a,b\nG01,G99\n"),
            "'G99'",
        ),
        (
            NEW.with_("library", allowed="a.csv").with_table(
                "a.csv", "perturbation\nG01+G02|K526\n"
            ),
            "Did you mean 'K562'?",
        ),
        (NEW.with_("batch", reference=["G01+G99|K562"]), "'G99'"),
        (NEW.with_("batch", reference=["G01+G02"]), "context"),
        (NEW.with_("lab", positive=1, positive_key="G99|K562"), "'G99'"),
        (NEW.with_("library", contexts="c.csv").with_table("c.csv", "id\n"), "no rows"),
    ],
)
def test_a_bad_table_is_refused(
    waiting: CommandLine, tmp_path: Path, folder: CampaignFolder, says: str
) -> None:
    assert says in refused(waiting, folder, tmp_path)


def test_an_embedding_table_that_covers_3_of_400_perturbagens_is_refused(
    waiting: CommandLine, tmp_path: Path
) -> None:
    names = [f"X{number:03d}" for number in range(400)]
    table = csv_text([("id", "kind"), *((name, "gene") for name in names)])
    urs = csv_text([("id", "u", "v"), *((f"{n}", 1, 2) for n in (*names[:3], "ENSG01", "ENSG02"))])
    folder = NEW.with_("library", embeddings="urs.csv")

    sentence = refused(
        waiting, folder.with_table("genes.csv", table).with_table("urs.csv", urs), tmp_path
    )

    assert "covers 3 of 400 perturbagens" in sentence


@pytest.mark.parametrize(
    ("urs", "says"),
    [
        ("id,u\nG01,1\nG01,2\n", "twice"),
        ("id,u\nG01,one\n", "'one'"),
        ("id,u\nG01,inf\n", "'inf'"),
        ("id\nG01\n", "one column"),
    ],
)
def test_a_bad_embedding_table_is_refused(
    waiting: CommandLine, tmp_path: Path, urs: str, says: str
) -> None:
    folder = NEW.with_("library", embeddings="urs.csv").with_table("urs.csv", urs)
    assert says in refused(waiting, folder, tmp_path)


def test_a_bad_npz_is_refused(waiting: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "urs.npz"
    folder = NEW.with_("library", embeddings="urs.npz")
    np.savez(path, id=np.array(GENES), go=np.full((12, 2), np.nan))
    whole = path.read_bytes()
    assert "NaN" in refused(waiting, folder.with_table("urs.npz", whole), tmp_path)
    assert "not a whole .npz" in refused(
        waiting, folder.with_table("urs.npz", whole[:200]), tmp_path
    )
    np.savez(path, rows=np.zeros((12, 2)))
    assert "no list of ids" in refused(
        waiting, folder.with_table("urs.npz", path.read_bytes()), tmp_path
    )
    np.savez(path, id=np.array(GENES), go=np.ones((12, 2)))
    views = folder.with_table("urs.npz", path.read_bytes()).with_("library", views=["goo"])
    assert "Did you mean 'go'?" in refused(waiting, views, tmp_path)


def test_structures_without_a_column_of_them_are_refused(
    waiting: CommandLine, tmp_path: Path
) -> None:
    assert "column 'smiles'" in refused(
        waiting, NEW.with_("library", embeddings="morgan"), tmp_path
    )
    blank = csv_text([("id", "smiles"), *((name, "?") for name in GENES)])
    folder = NEW.with_("library", embeddings="morgan").with_table("genes.csv", blank)
    assert "None of 12 SMILES" in refused(waiting, folder, tmp_path)


def test_a_dose_of_zero_in_a_library_is_refused_with_what_to_do(
    waiting: CommandLine, tmp_path: Path
) -> None:
    table = csv_text([("id", "doses", "dose_unit"), *((name, "0 1", "uM") for name in GENES)])
    sentence = refused(waiting, NEW.with_table("genes.csv", table), tmp_path)
    assert "leave the 0 out" in sentence


# --- batches ---------------------------------------------------------------------------------


def test_a_batch_larger_than_what_is_left_is_refused(waiting: CommandLine, tmp_path: Path) -> None:
    waiting.document("init", NEW.write(tmp_path / "files"))

    assert "propose with --size 66" in waiting.refusal("propose", "new", "--size", 67)
    assert len(waiting.document("propose", "new", "--size", 66)["choices"]) == 66


def test_a_spent_budget_is_said(waiting: CommandLine, tmp_path: Path) -> None:
    waiting.document("init", CampaignFolder("new", top={"budget": 5}).write(tmp_path / "files"))

    assert "5 of 5 perturbations left" in waiting.refusal("propose", "new")


def test_a_step_out_of_order_is_refused(waiting: CommandLine, tmp_path: Path) -> None:
    waiting.document("init", NEW.write(tmp_path / "files"))
    waiting.document("propose", "new")
    assert "pertloop approve new.b1" in waiting.refusal("dispatch", "new.b1")
    waiting.document("reject", "new.b1", "--why", "late")
    assert "rejected" in waiting.refusal("approve", "new.b1")
    assert "dispatched" in waiting.refusal("approve", "tiny.b1")
    assert "dispatched" in waiting.refusal("reject", "tiny.b1", "--why", "late")
    assert "reason" in waiting.refusal("reject", "tiny.b1", "--why", " ")


def test_controls_that_leave_no_room_are_refused(waiting: CommandLine, tmp_path: Path) -> None:
    full = NEW.with_("lab", negative=90, positive=10, positive_key="G01+G02|K562")

    assert "90 negative and 10 positive controls leave no room" in refused(waiting, full, tmp_path)


def test_reference_designs_named_twice_are_refused(waiting: CommandLine, tmp_path: Path) -> None:
    twice = NEW.with_("batch", reference=["G01+G02|K562", "G02+G01|K562"])

    assert "'G01+G02|K562' 2 times" in refused(waiting, twice, tmp_path)


# --- results ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"value": "nan"}, "'nan'"),
        ({"value": "inf"}, "'inf'"),
        ({"value": "-Infinity"}, "'-Infinity'"),
        ({"value": "1e999"}, "'1e999'"),
        ({"value": "high"}, "'high'"),
        ({"value": "1,5"}, "1.5"),
        ({"well": "Z99"}, "'Z99'"),
        ({"well": ""}, "well is empty"),
        ({"readout": "g"}, "(gi)"),
        ({"unit": "percent"}, "'percent'"),
        ({"status": "fine"}, "'fine'"),
        ({"plate_barcode": "PL00000000"}, "'PL00000000'"),
        ({"plate_id": "tiny.b1.p2"}, "'tiny.b1.p1'"),
        ({"dispatch_key": "0" * 32}, "another dispatch"),
    ],
)
def test_a_bad_cell_refuses_the_whole_file(
    waiting: CommandLine, results: Path, cells: Mapping[str, str], says: str
) -> None:
    table = read_csv(results)
    table[3].update(cells)

    sentence = waiting.refusal("ingest", "tiny", write_table(results, table))

    assert "line 5" in sentence
    assert says in sentence


def test_the_same_well_with_two_values_is_refused(waiting: CommandLine, results: Path) -> None:
    table = read_csv(results)
    table.append({**table[0], "value": "7.5"})

    sentence = waiting.refusal("ingest", "tiny", write_table(results, table))

    assert "two values" in sentence
    assert "7.5" in sentence


def test_the_same_well_with_the_same_value_counts_once(waiting: CommandLine, results: Path) -> None:
    table = read_csv(results)
    table.append(table[0])

    (ingested,) = waiting.document("ingest", "tiny", write_table(results, table))

    assert ingested["file"]["accepted"] == 9


def test_a_result_for_a_well_that_was_never_dispatched_is_refused(
    waiting: CommandLine, results: Path
) -> None:
    table = read_csv(results)
    used = {row["well"] for row in table}
    table.append({**table[0], "well": next(f"H{n}" for n in range(1, 13) if f"H{n}" not in used)})

    assert "never dispatched" in waiting.refusal("ingest", "tiny", write_table(results, table))


def test_results_of_another_campaign_are_refused_by_its_name(
    waiting: CommandLine, tmp_path: Path
) -> None:
    job = job_folder(waiting.home, "csv", "other", "other.b1")
    theirs = filled_template(job, tmp_path / "theirs.csv")

    assert "campaign 'other'" in waiting.refusal("ingest", "tiny", theirs)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"plate_id,well,readout,value\n", "no rows"),
        (b"plate,well,readout,value\np,A1,gi,1\n", "'plate_id'"),
        (b"plate_id,well,readout,vlaue\np,A1,gi,1\n", "'value'"),
        (b"plate_id,well,readout,value\np,A1,gi\n", "cells"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\x1f\x8bnot gzip", "gzip"),
        (gzip.compress(b"plate_id,well,readout,value\n" * 9)[:-9], "gzip"),
        (b"plate_id,well,readout,value\np,A1,gi,\xff\n", "UTF-8"),
        (b'plate_id,well,readout,value\np,"A1,gi,1\n', "quotes"),
    ],
)
def test_a_file_that_is_no_results_table_is_refused(
    waiting: CommandLine, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(content)

    assert says in waiting.refusal("ingest", "tiny", path)


# --- replay ----------------------------------------------------------------------------------

SCREEN = "gene_a,gene_b,gi,is_hit\n" + "".join(
    f"{a},{b},{(n * 7) % 11 - 5},{int(n % 9 == 0)}\n"
    for n, (a, b) in enumerate((a, b) for a in GENES for b in GENES if a < b)
)


def replay_refusal(waiting: CommandLine, table: Path, *options: str) -> str:
    """The sentence with which a replay is refused."""
    given = {
        "--perturbagens": "gene_a,gene_b",
        "--readout": "gi",
        "--hit": "is_hit",
        "--start": "8",
        "--rounds": "1",
        "--batch": "8",
        "--surrogate": "random",
        "--acquisition": "random",
        **dict(zip(options[::2], options[1::2], strict=True)),
    }
    return waiting.refusal(
        "replay", table, *(word for pair in given.items() for word in pair if pair[1] != "-")
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--readout", "gii"), "Did you mean 'gi'?"),
        (("--perturbagens", "gene_a,gene_c"), "Did you mean 'gene_"),
        (("--hit", "is_hits"), "Did you mean 'is_hit'?"),
        (("--context", "line"), "no column 'line'"),
        (("--dose", "gene_a"), "--dose"),
        (("--hit", "-"), "--threshold"),
        (("--top", "0.1"), "more than once"),
        (("--hit", "-", "--top", "5"), "--top 5"),
        (("--hit", "-", "--threshold", "x"), "--threshold 'x'"),
        (("--hit", "-", "--threshold", "1,-1"), "threshold"),
        (("--start", "60"), "lower --start"),
        (("--surrogate", "rndom"), "Did you mean 'random'?"),
        (("--acquisition", "rndom"), "Did you mean 'random'?"),
        (("--readout", "gene_a"), "not a number"),
        (("--embeddings", "absent.npz"), "absent.npz"),
        (("--embeddings", "morgan"), "--library"),
        (("--embedding-id", "symbol"), "--library"),
        (("--library", "absent.csv"), "absent.csv"),
        (("--contexts", "absent.csv"), "absent.csv"),
        (("--views", "go"), "no view 'go'"),
        (("--perturbagens", ","), "--perturbagens"),
        (("--hit", "-", "--threshold", "nan,nan"), "nan"),
        (("--plot", "nowhere/curves.png"), "nowhere/curves.png"),
        (("--plot", "curves.doc"), "curves.doc"),
    ],
)
def test_a_replay_that_cannot_be_is_refused(
    waiting: CommandLine, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    table = tmp_path / "screen.csv"
    table.write_text(SCREEN, encoding="utf-8")

    assert says in replay_refusal(waiting, table, *options)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("gene_a,gene_b,gi,is_hit\n", "no rows"),
        (SCREEN.replace(",-5,", ",nan,", 1), "'nan'"),
        (SCREEN.replace(",-5,", ",inf,", 1), "'inf'"),
        (SCREEN.replace(",-5,", ",low,", 1), "'low'"),
        (SCREEN + "G01,G02\n", "2 cells"),
    ],
)
def test_a_bad_screen_is_refused(
    waiting: CommandLine, tmp_path: Path, content: str, says: str
) -> None:
    table = tmp_path / "screen.csv"
    table.write_text(content, encoding="utf-8")

    assert says in replay_refusal(waiting, table)


# --- a gigabyte of garbage -------------------------------------------------------------------

GIGABYTE = 10**9
MEMORY = 600 * 2**20
Asking = Callable[[CommandLine, Path, Path], str]


def as_results(waiting: CommandLine, garbage: Path, _: Path) -> str:
    return waiting.refusal("ingest", "tiny", garbage)


def as_campaign_file(waiting: CommandLine, garbage: Path, _: Path) -> str:
    return waiting.refusal("init", garbage)


def as_perturbagens(waiting: CommandLine, garbage: Path, tmp_path: Path) -> str:
    return refused(waiting, NEW.with_("library", perturbagens=str(garbage)), tmp_path)


def as_embeddings(waiting: CommandLine, garbage: Path, tmp_path: Path) -> str:
    return refused(waiting, NEW.with_("library", embeddings=str(garbage)), tmp_path)


def as_screen(waiting: CommandLine, garbage: Path, _: Path) -> str:
    return replay_refusal(waiting, garbage)


def as_backup(waiting: CommandLine, garbage: Path, _: Path) -> str:
    return waiting.refusal("db", "restore", garbage)


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"", b"id,kind\nA,gene\n", b"\x1f\x8b\x08", b"PK\x03\x04"])
@pytest.mark.parametrize(
    "asking",
    [as_results, as_campaign_file, as_perturbagens, as_embeddings, as_screen, as_backup],
)
def test_a_gigabyte_of_garbage_is_refused_within_bounded_memory(
    waiting: CommandLine, tmp_path: Path, asking: Asking, start: bytes
) -> None:
    garbage = tmp_path / "garbage.csv"
    with garbage.open("wb") as file:
        file.write(start + np.random.default_rng(1).bytes(1 << 20))
        file.truncate(GIGABYTE)

    within(MEMORY, lambda: asking(waiting, garbage, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("asking", [as_results, as_perturbagens, as_screen])
def test_a_gzip_that_unpacks_to_a_gigabyte_is_refused_within_bounded_memory(
    waiting: CommandLine, tmp_path: Path, asking: Asking
) -> None:
    garbage = tmp_path / "bomb.csv.gz"
    line = b"0123456789abcdef" * 4096 + b"\n"
    with gzip.open(garbage, "wb", compresslevel=1) as file:
        for _ in range(GIGABYTE // len(line)):
            file.write(line)

    within(2 * MEMORY, lambda: asking(waiting, garbage, tmp_path))


def within(memory: int, asking: Callable[[], str]) -> None:
    """Run in a process of its own whose address space may grow by so many bytes only."""

    def limited() -> None:
        child.limit_memory(memory)
        asking()

    assert child.run(limited) == 0


# --- the home and its database ---------------------------------------------------------------


def test_a_database_of_a_newer_version_is_left_alone(waiting: CommandLine) -> None:
    with sqlite3.connect(waiting.home / SQLITE_FILE) as connection:
        connection.execute("UPDATE pertloop_version SET version_num = '9999'")
    connection.close()

    for words in (("status", "tiny"), ("propose", "tiny"), ("db", "upgrade"), ("campaigns",)):
        assert "newer" in waiting.refusal(*words)


def test_a_file_that_is_not_a_database_is_left_alone(waiting: CommandLine) -> None:
    for end in ("-wal", "-shm"):
        (waiting.home / f"{SQLITE_FILE}{end}").unlink(missing_ok=True)
    (waiting.home / SQLITE_FILE).write_bytes(b"Dear diary, today I measured nothing.\n" * 99)

    for words in (("status", "tiny"), ("propose", "tiny"), ("db", "upgrade")):
        assert "not a database" in waiting.refusal(*words)


def test_a_database_of_something_else_is_left_alone(waiting: CommandLine) -> None:
    path = waiting.home / SQLITE_FILE
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()

    assert "recipes" in waiting.refusal("status", "tiny")


def test_a_home_that_cannot_be_is_refused(tmp_path: Path, waiting: CommandLine) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    for home in (file, file / "below", Path("/proc/nowhere")):
        sentence = CommandLine(home).refusal("campaigns")
        assert str(home) in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERTLOOP_THREADS", "many"),
        ("PERTLOOP_DATABASE_URL", "mysql://here"),
        ("PERTLOOP_DATABASE_URL", "nonsense"),
    ],
)
def test_a_wrong_setting_is_refused(waiting: CommandLine, name: str, value: str) -> None:
    wrong = CommandLine(waiting.home, {name: value})

    assert value in wrong.refusal("status", "tiny")


def test_an_empty_setting_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert (
        CommandLine(tmp_path, {"PERTLOOP_HOME": "", "PERTLOOP_THREADS": ""}).document("campaigns")
        == []
    )
    assert [path.name for path in tmp_path.iterdir()] == [".pertloop"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_home_that_may_not_be_written_is_refused(waiting: CommandLine) -> None:
    (waiting.home / SQLITE_FILE).chmod(0o444)
    waiting.home.chmod(0o555)
    try:
        assert SQLITE_FILE in waiting.refusal("propose", "tiny")
    finally:
        waiting.home.chmod(0o755)


def test_a_snapshot_whose_file_is_damaged_is_refused(waiting: CommandLine, results: Path) -> None:
    waiting.document("ingest", "tiny", results)
    snapshot = waiting.document("retrain", "tiny")["snapshot"]["id"]
    path = waiting.home / "snapshots" / f"{snapshot}.safetensors"
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))

    assert "damaged" in waiting.refusal("propose", "tiny")
    assert "damaged" in waiting.refusal("predict", "tiny", "G01+G02|K562")
    said = waiting.run("db", "check")
    assert (said.code, "damaged" in said.out) == (1, True)


def test_a_backup_is_not_written_over_a_file_nor_restored_over_a_home(
    waiting: CommandLine, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.tar.gz"
    waiting.document("db", "backup", backup)

    assert "there already" in waiting.refusal("db", "backup", backup)
    assert "not empty" in waiting.refusal("db", "restore", backup)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_damaged_backup_is_refused_before_anything_is_written(
    waiting: CommandLine, tmp_path: Path, at: float
) -> None:
    backup = tmp_path / "backup.tar.gz"
    waiting.document("db", "backup", backup)
    content = bytearray(backup.read_bytes())
    content[int(at * len(content))] ^= 0xFF
    backup.write_bytes(content)
    empty = CommandLine(tmp_path / "empty")

    assert "nothing was written" in empty.refusal("db", "restore", backup)
    assert not empty.home.exists()


def test_a_check_without_a_database_says_so(tmp_path: Path) -> None:
    said = CommandLine(tmp_path / "nowhere").run("db", "check")

    assert (said.code, "no database" in said.out) == (1, True)
    assert not (tmp_path / "nowhere").exists()


def test_a_name_with_a_line_break_still_gives_one_sentence(
    waiting: CommandLine, tmp_path: Path
) -> None:
    for name in ("a\nb.csv", '☃ "quoted".csv'):
        assert "b.csv" in waiting.refusal("ingest", "tiny", tmp_path / name) or name[0] == "☃"
        waiting.refusal("init", tmp_path / name)
        waiting.refusal("status", name)
