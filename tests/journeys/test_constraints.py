"""Constraints through the command line: every batch keeps them, and impossible ones are told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.campaign_folder import (
    GENES,
    CampaignFolder,
    filled_template,
    job_folder,
    read_csv,
)
from tests.journeys.command_line import CommandLine

PATHWAYS = ("DDR", "cycle; DDR", "stress")
TABLE = "id,class,pathway,cost,doses,dose_unit\n" + "".join(
    f"{gene},{'kinase' if at < 3 else ''},{PATHWAYS[at % 3]},{1 + at % 4},"
    f"{'0.1 1 10,uM' if at in (4, 5) else ','}\n"
    for at, gene in enumerate(GENES)
)
COST = {gene: 1 + at % 4 for at, gene in enumerate(GENES)}
DDR = {gene for at, gene in enumerate(GENES) if at % 3 != 2}
KINASES = set(GENES[:3])
REFERENCE, MUST = "G01+G04|K562", "G08+G09|K562"
BOUND = (
    CampaignFolder("bound")
    .with_table("genes.csv", TABLE)
    .with_("surrogate", name="linear")
    .with_("acquisition", name="auto")
    .with_(
        "batch",
        size=12,
        audit=0.25,
        explore=0.25,
        replicates=2,
        max_uses_per_perturbagen=5,
        reference=[REFERENCE],
    )
    .with_(
        "constraints",
        must_include=["G09+G08|K562"],
        exclusive=["class"],
        well_cost=0.5,
        money=138,
        max_plates=1,
        diversity=0.3,
    )
    .with_("constraints.max_dose", G05="1uM", G06="0.01uM")
    .with_("[constraints.group]", column="pathway", value="DDR", at_least=6, at_most=11)
)


@pytest.fixture
def pertloop(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def check_kept(batch: Any) -> None:
    """Every constraint of `BOUND`, counted anew from the batch's keys."""
    keys = [each["perturbation"] for each in batch["choices"]]
    parts = [key.partition("|")[0].split("+") for key in keys]
    genes = [[part.partition("@")[0] for part in each] for each in parts]
    uses = Counter(gene for each in genes for gene in each)
    assert len(set(keys)) == 12
    assert max(uses.values()) <= 5
    assert 2 * sum(0.5 + sum(COST[gene] for gene in each) for each in genes) <= 138
    assert 6 <= sum(bool(DDR & set(each)) for each in genes) <= 11
    assert "G06" not in uses, "its lowest dose is above the ceiling"
    assert not any("G05@10uM" in each for each in parts)
    # A reference design is named by a person, and may hold what may not be chosen.
    assert not any(len(KINASES & set(each)) > 1 for each in genes)


def test_every_batch_of_a_campaign_keeps_all_of_its_constraints(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", BOUND.write(tmp_path / "files"))
    required = []
    for number in range(1, 4):
        batch = pertloop.document("propose", "bound")
        check_kept(batch)
        by = Counter(each["chosen_by"] for each in batch["choices"])
        required += [e["perturbation"] for e in batch["choices"] if e["chosen_by"] == "required"]
        assert by["reference"] == 1
        assert by["audit"] >= 3
        if number > 1:
            assert by == {"reference": 1, "audit": 3, "acquisition": 8}
            explored = [e for e in batch["choices"] if e["reason"].startswith("Exploring share")]
            assert len(explored) in (0, 3)
        pertloop.document("approve", batch["id"])
        pertloop.document("dispatch", batch["id"])
        job = job_folder(pertloop.home, "csv", "bound", batch["id"])
        plates = {row["plate_id"] for row in read_csv(job / "plate_map.csv")}
        assert len(plates) == 1
        pertloop.document("ingest", "bound", filled_template(job, tmp_path / f"{number}.csv"))
        pertloop.document("retrain", "bound")
    assert required == [MUST], "it is in the first batch, and never again"


def test_a_must_have_of_a_rejected_batch_is_in_the_next_one(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", BOUND.write(tmp_path / "files"))
    for _ in range(2):
        batch = pertloop.document("propose", "bound")
        assert MUST in [e["perturbation"] for e in batch["choices"] if e["chosen_by"] == "required"]
        pertloop.document("reject", batch["id"], "--why", "the incubator broke")


@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        (
            BOUND.with_("constraints", money=30),
            (
                "batch.size = 12 and constraints.money = 30",
                "set batch.size to 5 or less",
                "money to 86",
            ),
        ),
        (
            BOUND.with_("batch", max_uses_per_perturbagen=1),
            ("batch.size = 12 and batch.max_uses_per_perturbagen = 1", "to 5 or less", "to 3"),
        ),
        (
            BOUND.with_("lab", negative=80),
            ("batch.size = 12 and constraints.max_plates = 1 (8 choices fit)", "max_plates to 2"),
        ),
        (
            BOUND.with_("[constraints.group]", at_least=90, at_most=None),
            ("at_least = 90", "pathway = 'DDR'", "lower at_least of pathway = 'DDR' to"),
        ),
        (
            BOUND.with_("[constraints.group]", at_least=0, at_most=1).with_(
                "batch", max_uses_per_perturbagen=0
            ),
            ("batch.reference", "constraints.must_include", "at_most = 1", "raise at_most"),
        ),
        (
            BOUND.with_("batch", size=3, audit=0.67).with_("[constraints.group]", at_least=0),
            ("batch.size = 3", "batch.audit = 0.67 (2 audit wells)", "must_include"),
        ),
    ],
)
def test_impossible_constraints_are_refused_when_a_campaign_is_made(
    pertloop: CommandLine, tmp_path: Path, folder: CampaignFolder, parts: tuple[str, ...]
) -> None:
    pertloop.document("campaigns")
    sentence = pertloop.refusal("init", folder.write(tmp_path / "files"))
    for part in parts:
        assert part in sentence
    assert "cannot hold" in sentence
    assert pertloop.document("campaigns") == []


@pytest.mark.parametrize(
    ("section", "keys", "says"),
    [
        ("constraints", {"must_include": ["G01+G02|K562"]}, "exclusive rules it out"),
        ("constraints", {"must_include": ["G05@10uM+G07|K562"]}, "above constraints.max_dose"),
        ("constraints", {"must_include": ["G07|K562"]}, "library.order is 2"),
        ("constraints", {"must_include": ["G7+G08|K562"]}, "'G07'"),
        ("constraints", {"must_include": [MUST, "G09+G08|K562"]}, "2 times"),
        ("constraints", {"exclusive": ["clas"]}, "'class'"),
        ("constraints.max_dose", {"G5": "1uM"}, "'G05'"),
        ("constraints.max_dose", {"G05": "1nM"}, "uM"),
        ("[constraints.group]", {"value": "DRD"}, "'DDR'"),
        ("[constraints.group]", {"column": "pathways"}, "'pathway'"),
        ("batch", {"reference": ["G05@10uM+G07|K562"]}, "above constraints.max_dose"),
        ("batch", {"explore_by": "max-varience"}, "'max-variance'"),
    ],
)
def test_a_constraint_that_names_nothing_right_is_refused_with_what_is(
    pertloop: CommandLine, tmp_path: Path, section: str, keys: dict[str, object], says: str
) -> None:
    pertloop.document("campaigns")
    folder = BOUND.with_(section, **keys).write(tmp_path / "files")
    assert says in pertloop.refusal("init", folder)


def test_a_size_that_the_constraints_forbid_is_refused_when_it_is_asked_for(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", BOUND.write(tmp_path / "files"))
    sentence = pertloop.refusal("propose", "bound", "--size", "30")
    assert "--size 30" in sentence
    assert "constraints.money = 138" in sentence or "constraints.max_plates = 1" in sentence
    assert "propose with --size" in sentence
    assert len(pertloop.document("propose", "bound")["choices"]) == 12


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        (
            CampaignFolder("none")
            .with_("library", forbidden="forbidden.csv")
            .with_table("forbidden.csv", "id\n" + "\n".join(GENES) + "\n"),
            "library.forbidden",
        ),
        (
            CampaignFolder("none")
            .with_table("genes.csv", "id,doses,dose_unit\nG01,5,uM\nG02,5,uM\n")
            .with_("constraints.max_dose", G01="1uM"),
            "constraints.max_dose",
        ),
        (
            CampaignFolder("none")
            .with_table("genes.csv", "id,doses,dose_unit\nG01,5,uM\nG02,5,uM\n")
            .with_("library", allowed="allowed.csv")
            .with_table("allowed.csv", "a,b\nG01@5uM,G02@5uM\n")
            .with_("constraints.max_dose", G01="1uM"),
            "library.allowed",
        ),
        (
            CampaignFolder("none")
            .with_table("genes.csv", "id,class\nG01,k\nG02,k\n")
            .with_("constraints", exclusive=["class"]),
            "constraints.exclusive",
        ),
    ],
)
def test_a_library_that_leaves_no_candidate_is_refused(
    pertloop: CommandLine, tmp_path: Path, folder: CampaignFolder, says: str
) -> None:
    pertloop.document("campaigns")
    sentence = pertloop.refusal("init", folder.write(tmp_path / "files"))
    assert "leaves no candidate at all" in sentence
    assert says in sentence


def test_a_first_batch_that_fills_the_space_is_half_by_lot(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    urs = "id,u,v\n" + "".join(f"{gene},{at},{at * 7 % 5}\n" for at, gene in enumerate(GENES, 1))
    folder = (
        CampaignFolder("filling")
        .with_("library", embeddings="urs.csv")
        .with_table("urs.csv", urs)
        .with_("batch", first="space-filling", size=10)
    )
    pertloop.document("init", folder.write(tmp_path / "files"))
    batch = pertloop.document("propose", "filling")
    by = Counter(each["chosen_by"] for each in batch["choices"])
    assert by == {"audit": 5, "acquisition": 5}
    assert batch["acquisition"] == "space-filling"
    lot = [e for e in batch["choices"] if e["chosen_by"] == "audit"]
    assert all(e["inclusion_probability"] == pytest.approx(5 / 66) for e in lot)


@pytest.mark.parametrize(
    ("goal", "first", "second"),
    [
        ("reach-state", {"target": 1.5, "weight": 2.0}, {"target": -0.5}),
        ("pareto", {"direction": "up"}, {"direction": "down"}),
    ],
)
def test_goals_of_several_readouts_run_two_rounds(
    pertloop: CommandLine,
    tmp_path: Path,
    goal: str,
    first: dict[str, object],
    second: dict[str, object],
) -> None:
    folder = (
        CampaignFolder("several", top={"goal": goal})
        .with_("readout", threshold=None, **first)
        .with_("surrogate", name="linear")
        .with_("acquisition", name="auto")
    )
    path = folder.write(tmp_path / "files")
    text = path.read_text().replace("[readout]", "[[readout]]")
    lines = [f"{key} = {json.dumps(value)}" for key, value in second.items()]
    path.write_text(text + "\n".join(["[[readout]]", 'name = "growth"', *lines]) + "\n")
    pertloop.document("init", path)
    for number in (1, 2):
        batch = pertloop.document("propose", "several")
        if number == 2:
            assert {e["chosen_by"] for e in batch["choices"]} == {"audit", "acquisition"}
            assert all(set(e["belief"]) == {"gi", "growth"} for e in batch["choices"])
        pertloop.document("approve", batch["id"])
        pertloop.document("dispatch", batch["id"])
        job = job_folder(pertloop.home, "csv", "several", batch["id"])
        pertloop.document("ingest", "several", filled_template(job, tmp_path / f"{number}.csv"))
        pertloop.document("retrain", "several")
    assert pertloop.document("status", "several")["rounds"][-1]["tested"] == 12
