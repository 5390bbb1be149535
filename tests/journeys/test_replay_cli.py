"""`pertloop replay`: small tables of every kind, and the real ones where they are at hand."""

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.journeys.campaign_folder import csv_text
from tests.journeys.command_line import CommandLine

SHARED = Path(__file__).parents[3] / "shared" / "data"
ROUND = {
    "wells": int,
    "hits": int,
    "best": float,
    "rmse": float,
    "spearman": float,
    "nll": float,
    "coverage90": float,
    "coverage90_top": float,
    "coverage90_selected": float,
    "seconds_propose": float,
    "seconds_retrain": float,
    "forecast_hits": float,
    "forecast_gain": float,
    "forecast_low": float,
    "forecast_high": float,
    "hits_low": int,
    "hits_high": int,
    "regret": float,
    "top100": int,
    "hypervolume": float,
    "distance": float,
}
SUMMARY = {
    "wells",
    "hits_mean",
    "hits_sd",
    "hits_median",
    "ratio_to_random",
    "best_mean",
    "coverage90_mean",
    "hits_low_mean",
    "hits_high_mean",
    "regret_mean",
    "top100_mean",
    "rmse_mean",
    "spearman_mean",
    "nll_mean",
    "hypervolume_mean",
    "distance_mean",
    "forecasts",
    "forecast_coverage90",
}
QUICK = ("--surrogate", "random", "--acquisition", "random")
SMALL = ("--start", 16, "--rounds", 2, "--batch", 8, "--seeds", 2, *QUICK)


@pytest.fixture
def pertloop(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def checked(document: Any) -> Any:
    """A document, if it has exactly the fields that design.md promises."""
    assert set(document) == {"settings", "strategies", "random_expectation"}
    expected = document["random_expectation"]
    assert set(expected) == {"wells", "hits"}
    for strategy in document["strategies"]:
        assert set(strategy) == {
            "surrogate",
            "acquisition",
            "surrogate_settings",
            "acquisition_settings",
            "runs",
            "summary",
        }
        assert set(strategy["summary"]) == SUMMARY
        assert [run["seed"] for run in strategy["runs"]] == document["settings"]["seeds"]
        for run in strategy["runs"]:
            assert [line["wells"] for line in run["rounds"]] == expected["wells"]
            for line in run["rounds"]:
                assert set(line) == set(ROUND)
                for name, kind in ROUND.items():
                    assert line[name] is None or isinstance(line[name], kind | int), name
                    assert line[name] is None or math.isfinite(line[name])
            hits = [line["hits"] for line in run["rounds"]]
            assert hits == sorted(hits) if expected["hits"] else not any(hits)
    return document


def pairs(columns: str = "gene_a,gene_b,gi,is_hit") -> str:
    genes = [f"G{number:02d}" for number in range(12)]
    rng = np.random.default_rng(1)
    rows = [
        (a, b, f"{value:.3f}", int(value > 1.2))
        for a in genes
        for b in genes
        if a < b and (value := rng.normal()) is not None
    ]
    return csv_text([columns.split(","), *rows])


def test_a_replay_of_pairs_gives_the_document_of_the_contract(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    table = tmp_path / "pairs.csv.gz"
    table.write_bytes(gzip.compress(pairs().encode()))
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--hit", "is_hit")

    document = checked(pertloop.document("replay", table, *columns, *SMALL))

    assert document["settings"]["candidates"] == 66
    assert document["random_expectation"]["wells"] == [16, 24, 32]
    (strategy,) = document["strategies"]
    assert strategy["runs"][0] != strategy["runs"][1]
    again = pertloop.document("replay", table, *columns, *SMALL)
    assert without_seconds(again) == without_seconds(document)


def test_a_replay_reads_well_to_a_person_and_draws_its_curves(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(pairs(), encoding="utf-8")
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--threshold=-1.5,1.5")

    text = pertloop.text("replay", table, *columns, *SMALL, "--plot", tmp_path / "curves.png")

    assert "random" in text
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("defined", "hits"),
    [(("--top", 0.1), 7), (("--threshold=,1.2",), None), (("--hit", "is_hit"), None)],
)
def test_hits_may_be_defined_in_three_ways(
    pertloop: CommandLine, tmp_path: Path, defined: tuple[object, ...], hits: int | None
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(pairs(), encoding="utf-8")
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "gi")
    everything = ("--start", 58, "--rounds", 1, "--batch", 8, *QUICK)

    document = checked(pertloop.document("replay", table, *columns, *defined, *everything))

    found = document["strategies"][0]["runs"][0]["rounds"][-1]["hits"]
    assert found == document["random_expectation"]["hits"][-1]
    assert hits is None or found == hits


def test_doses_contexts_and_replicates_are_understood(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    rows = [
        (a, da, b, db, line, f"{len(a) + da * db:.2f}")
        for a in ("X", "Y")
        for b in ("V", "W")
        for da in (0, 0.1, 1)
        for db in (0.5, 5)
        for line in ("L1", "L2")
    ]
    table = tmp_path / "doses.csv"
    head = ("drug_a", "dose_a", "drug_b", "dose_b", "line", "kill")
    table.write_text(csv_text([head, *rows, rows[-1]]), encoding="utf-8")

    document = checked(
        pertloop.document(
            *("replay", table, "--perturbagens", "drug_a,drug_b", "--dose", "dose_a,dose_b"),
            *("--context", "line", "--readout", "kill", "--top", 0.2),
            *("--start", 8, "--rounds", 1, "--batch", 4, *QUICK),
        )
    )

    # A dose of zero leaves the drug out: X and Y at zero are one perturbation, a replicate.
    assert document["settings"]["candidates"] == 40
    assert any("9 rows repeat" in note for note in document["settings"]["notes"])


def test_a_library_brings_structures_and_other_ids_for_embeddings(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    names = [f"G{number:02d}" for number in range(12)]
    table, library = tmp_path / "pairs.csv", tmp_path / "library.csv"
    table.write_text(pairs(), encoding="utf-8")
    rows = [(name, "C" * (at + 1) + "N", f"S{at}") for at, name in enumerate(names)]
    library.write_text(csv_text([("gene", "smiles", "symbol"), *rows]), encoding="utf-8")
    urs = tmp_path / "urs.npz"
    np.savez(urs, id=np.array([f"S{at}" for at in range(10)]), go=np.eye(10), ppi=np.ones((10, 1)))

    document = checked(
        pertloop.document(
            *("replay", table, "--perturbagens", "gene_a,gene_b", "--readout", "gi"),
            *("--hit", "is_hit", "--library", library, "--embedding-id", "symbol"),
            *("--embeddings", urs, "--embeddings", "morgan", "--views", "go,morgan"),
            *("--start", 16, "--rounds", 1, "--batch", 8, "--surrogate", "gaussian-process"),
        )
    )

    settings = document["settings"]
    assert settings["embeddings"] == [str(urs), "morgan"]
    assert settings["embedding_id"] == "symbol"
    told = " ".join(settings["notes"])
    assert "covers 12 of 12 perturbagens in 2058 dimensions" in told
    assert "View go (10 columns) covers 10 of 12; unknown: G10, G11" in told
    assert "ppi" not in told
    last = document["strategies"][0]["runs"][0]["rounds"][-1]
    assert last["rmse"] is not None


def two_readouts() -> str:
    genes = [f"G{number:02d}" for number in range(12)]
    rng = np.random.default_rng(2)
    rows = [
        (a, b, f"{value:.3f}", f"{0.5 * value + rng.normal():.3f}")
        for a in genes
        for b in genes
        if a < b and (value := rng.normal()) is not None
    ]
    return csv_text([("gene_a", "gene_b", "kill", "tox"), *rows])


@pytest.mark.parametrize(
    ("goal", "figure", "wanted"),
    [
        ("pareto", "hypervolume", ("--direction", "up,down")),
        ("reach-state", "distance", ("--target=1.0,-0.5",)),
    ],
)
def test_goals_with_several_readouts_are_replayed(
    pertloop: CommandLine, tmp_path: Path, goal: str, figure: str, wanted: tuple[str, ...]
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(two_readouts(), encoding="utf-8")
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "kill,tox", "--goal", goal)
    plan = ("--start", 20, "--rounds", 2, "--batch", 8, "--surrogate", "linear")
    ask = ("replay", table, *columns, *wanted, *plan, "--acquisition", goal)

    document = checked(pertloop.document(*ask, "--acquisition", "random"))

    assert document["settings"]["more_readouts"] == ["tox"]
    for strategy in document["strategies"]:
        figures = [line[figure] for line in strategy["runs"][0]["rounds"]]
        assert None not in figures
        assert figures == sorted(figures, reverse=goal == "reach-state")
        assert strategy["summary"][f"{figure}_mean"] == figures[-1]
        assert {line["best"] for line in strategy["runs"][0]["rounds"]} == {None}
    picture = tmp_path / "curves.svg"
    text = pertloop.text(*ask, "--plot", picture)
    assert ("front, share" if goal == "pareto" else "nearest") in text
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_extremes_are_forecast_and_judged_by_regret(
    pertloop: CommandLine, tmp_path: Path, goal: str
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(pairs(), encoding="utf-8")
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--goal", goal)
    plan = ("--start", 20, "--rounds", 2, "--batch", 8, "--surrogate", "linear")

    document = checked(pertloop.document("replay", table, *columns, *plan))

    (strategy,) = document["strategies"]
    rounds = strategy["runs"][0]["rounds"]
    values = [float(row.split(",")[2]) for row in pairs().splitlines()[1:]]
    extreme = max(values) if goal == "maximize" else min(values)
    for line in rounds:
        assert line["regret"] == pytest.approx(abs(extreme - line["best"]))
        assert line["top100"] == line["wells"]
    assert [line["forecast_gain"] is None for line in rounds] == [True, False, False]
    assert strategy["summary"]["forecasts"] == 2
    assert "regret" in pertloop.text("replay", table, *columns, *plan)


def test_settings_of_acquisitions_are_named_on_the_command_line(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(pairs(), encoding="utf-8")
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--goal", "maximize")
    plan = ("--start", 20, "--rounds", 1, "--batch", 8, "--max-uses", 2, "--surrogate", "linear")
    bold = "upper-confidence-bound:beta=3.5"
    ask = ("replay", table, *columns, *plan, "--acquisition", bold)

    document = checked(pertloop.document(*ask, "--acquisition", "greedy"))

    told = [(s["acquisition"], s["acquisition_settings"]) for s in document["strategies"]]
    assert told == [("upper-confidence-bound", {"beta": 3.5}), ("greedy", {})]
    assert document["settings"]["max_uses"] == 2
    assert bold in pertloop.text(*ask)
    refused = ("replay", table, *columns, *plan, "--acquisition")
    assert "beat" in pertloop.refusal(*refused, "upper-confidence-bound:beat=1")
    assert "NAME:KEY=VALUE" in pertloop.refusal(*refused, "greedy:beta")


def test_first_wells_may_fill_the_space(pertloop: CommandLine, tmp_path: Path) -> None:
    table, urs = tmp_path / "pairs.csv", tmp_path / "urs.npz"
    table.write_text(pairs(), encoding="utf-8")
    names = np.array([f"G{at:02d}" for at in range(12)])
    np.savez(urs, id=names, go=np.random.default_rng(0).normal(size=(12, 3)))
    columns = ("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--hit", "is_hit")
    ask = ("replay", table, *columns, "--embeddings", urs, *SMALL)

    filled = checked(pertloop.document(*ask, "--first", "space-filling"))

    assert filled["settings"]["first"] == "space-filling"
    by_lot = checked(pertloop.document(*ask))
    assert without_seconds(filled)["strategies"] != without_seconds(by_lot)["strategies"]


def test_higher_orders_may_be_joined_in_one_column(pertloop: CommandLine, tmp_path: Path) -> None:
    names = ["+".join(f"D{k}" for k in range(6) if mask >> k & 1) for mask in range(1, 64)]
    table = tmp_path / "combos.csv"
    rows = [(name, len(name)) for name in names]
    table.write_text(csv_text([("drugs", "response"), *rows]), encoding="utf-8")

    document = checked(
        pertloop.document(
            *("replay", table, "--perturbagens", "drugs", "--readout", "response", "--top", 0.1),
            *SMALL,
        )
    )

    assert document["settings"]["perturbagens_in_table"] == 6


def test_a_genotype_is_read_as_factors(pertloop: CommandLine, tmp_path: Path) -> None:
    rows = [(f"{mask:06b}", mask.bit_count()) for mask in range(64)]
    table = tmp_path / "landscape.csv"
    table.write_text(csv_text([("genotype", "brightness"), *rows]), encoding="utf-8")

    document = checked(
        pertloop.document(
            *("replay", table, "--perturbagens", "genotype", "--readout", "brightness"),
            *("--goal", "maximize", *SMALL),
        )
    )

    assert document["settings"]["candidates"] == 64
    assert document["random_expectation"]["hits"] is None
    last = document["strategies"][0]["runs"][0]["rounds"][-1]
    assert last["hits"] is None
    assert last["best"] > 4


@pytest.mark.parametrize("acquisition", ["greedy", "auto"])
def test_every_surrogate_meets_every_acquisition(
    pertloop: CommandLine, tmp_path: Path, acquisition: str
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(pairs(), encoding="utf-8")

    document = checked(
        pertloop.document(
            *("replay", table, "--perturbagens", "gene_a,gene_b", "--readout", "gi", "--top", 0.1),
            *("--start", 16, "--rounds", 1, "--batch", 8, "--surrogate", "random"),
            *("--surrogate", "gaussian-process", "--acquisition", acquisition),
            *("--acquisition", "random"),
        )
    )

    named = [(each["surrogate"], each["acquisition"]) for each in document["strategies"]]
    assert named == [
        ("random", acquisition),
        ("random", "random"),
        ("gaussian-process", acquisition),
        ("gaussian-process", "random"),
    ]


def without_seconds(document: Any) -> Any:
    """A document without what the clock says."""
    if isinstance(document, dict):
        return {k: without_seconds(v) for k, v in document.items() if not k.startswith("seconds")}
    if isinstance(document, list):
        return [without_seconds(each) for each in document]
    return document


# --- real tables -----------------------------------------------------------------------------

GENES = ("--embeddings", SHARED / "gene_features" / "gene_embeddings.npz")
SHORT = ("--start", 32, "--rounds", 1, "--batch", 16)
SCREENS = {
    "gene_screens/ifng.csv.gz": (
        *("--perturbagens", "gene", "--readout", "score", "--hit", "is_hit", *GENES),
        *(*SHORT, "--surrogate", "gaussian-process"),
    ),
    "gene_screens/il2.csv.gz": (
        *("--perturbagens", "gene", "--readout", "score", "--hit", "is_hit", *SHORT, *QUICK),
    ),
    "gene_screens/sanchez21.csv.gz": (
        *("--perturbagens", "gene", "--readout", "score", "--hit", "is_hit", *SHORT, *QUICK),
    ),
    "gene_screens/sanchez21_down.csv.gz": (
        *("--perturbagens", "gene", "--readout", "score", "--hit", "is_hit", *SHORT, *QUICK),
    ),
    "gene_screens/scharenberg22.csv.gz": (
        *("--perturbagens", "gene", "--readout", "score", "--hit", "is_hit", *GENES),
        *(*SHORT, "--surrogate", "gaussian-process"),
    ),
    "oneil2016/pairs.csv.gz": (
        *("--perturbagens", "drug_a,drug_b", "--context", "cell_line", "--readout", "loewe"),
        *("--hit", "is_hit", *SHORT, "--surrogate", "gaussian-process"),
        *("--library", SHARED / "oneil2016" / "drugs.csv", "--embeddings", "morgan"),
        *("--contexts", SHARED / "oneil2016" / "cell_expression.csv.gz"),
    ),
    "yale_pdac/pairs.csv.gz": (
        *("--perturbagens", "drug_a,drug_b", "--dose", "dose_a_uM,dose_b_uM"),
        *("--context", "cell_line", "--readout", "bliss_excess", "--hit", "is_hit"),
        *("--library", SHARED / "yale_pdac" / "drugs.csv", "--embeddings", "morgan"),
        *(*SHORT, "--surrogate", "gaussian-process"),
    ),
    "hodc/combos.csv": (
        *("--perturbagens", "drugs", "--context", "group", "--readout", "response"),
        *("--top", 0.1, *SHORT, "--surrogate", "gaussian-process"),
    ),
    "landscapes/poelwijk2019_fp13.csv.gz": (
        *("--perturbagens", "genotype", "--readout", "combined", "--goal", "maximize"),
        *(*SHORT, "--surrogate", "gaussian-process"),
    ),
    "landscapes/moulana2022_rbd15.csv.gz": (
        *("--perturbagens", "genotype", "--readout", "log10_kd", "--goal", "minimize"),
        *(*SHORT, *QUICK),
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCREENS)
def test_a_real_screen_loads_and_runs(pertloop: CommandLine, name: str) -> None:
    document = checked(pertloop.document("replay", at_hand(name), *SCREENS[name]))

    assert document["random_expectation"]["wells"] == [32, 48]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_auto_finds_more_hits_than_random_on_the_horlbeck_screen(pertloop: CommandLine) -> None:
    document = checked(
        pertloop.document(
            *("replay", at_hand("horlbeck2018/k562_pairs.csv.gz")),
            *("--perturbagens", "gene_a,gene_b", "--readout", "gi_k562", "--hit", "is_hit"),
            *(*GENES, "--start", 128, "--rounds", 2, "--batch", 128),
            *("--acquisition", "random", "--acquisition", "auto"),
        )
    )

    by_lot, auto = (each["summary"]["hits_mean"] for each in document["strategies"])
    assert document["settings"]["candidates"] == 100_576
    assert 20 <= by_lot <= 60
    assert auto > by_lot


def at_hand(name: str) -> Path:
    """A public screen, or a skipped test where it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here; `pertloop datasets` fetches public screens")
    return path


EARLIER = pairs("gene_a,gene_b,gi_other_line,is_hit_other")


def test_an_earlier_screen_informs_the_first_wells_and_is_told(pertloop, tmp_path):
    (tmp_path / "now.csv").write_text(pairs(), encoding="utf-8")
    (tmp_path / "earlier.csv").write_text(EARLIER, encoding="utf-8")
    asked = ("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--hit", "is_hit")
    linear = ("--surrogate", "linear", "--start", 16, "--rounds", 1, "--batch", 8, "--seeds", 2)

    told = checked(
        pertloop.document(
            "replay", tmp_path / "now.csv", *asked, *linear, "--prior", tmp_path / "earlier.csv"
        )
    )
    alone = checked(pertloop.document("replay", tmp_path / "now.csv", *asked, *linear))

    first = [
        sum(run["rounds"][0]["hits"] for run in each["strategies"][0]["runs"])
        for each in (told, alone)
    ]
    assert first[0] > first[1]
    assert "'gi_other_line'" in " ".join(told["settings"]["notes"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--prior", "now.csv"), "would tell its own answers"),
        (("--prior", "nowhere.csv"), "nowhere.csv"),
        (("--prior", "earlier.csv", "--prior-readout", "gj"), "no column 'gj'"),
        (("--prior-readout", "gi"), "--prior-readout"),
    ],
)
def test_a_prior_that_cannot_be_used_is_refused(pertloop, tmp_path, options, sentence):
    (tmp_path / "now.csv").write_text(pairs(), encoding="utf-8")
    (tmp_path / "earlier.csv").write_text(EARLIER, encoding="utf-8")
    given = [tmp_path / each if str(each).endswith(".csv") else each for each in options]

    refused = pertloop.refusal(
        "replay",
        tmp_path / "now.csv",
        *("--perturbagens", "gene_a,gene_b", "--readout", "gi", "--hit", "is_hit"),
        *SMALL,
        *given,
    )

    assert sentence in refused
