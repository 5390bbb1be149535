import re
from pathlib import Path

import pytest

from loop.cli.predict import _told
from loop.domain.batch import PredictedReadout
from loop.domain.perturbation import Perturbation
from loop.evidence import Evidence, Near
from loop.influence import Influence, Move
from loop.parts import pieces, taken_apart
from loop.predict import VirtualExperiment
from loop.wells import Well
from tests.journeys.campaign_folder import CampaignFolder
from tests.journeys.command_line import CommandLine


def experiment(key, exact=True):
    whole = Perturbation.parse(key)
    means = {each.key: 0.3333 * (at + 1) ** 2 for at, each in enumerate(pieces(whole))}
    parts = taken_apart(whole, means)
    return VirtualExperiment(
        whole,
        {"gi": PredictedReadout(parts.mean, 0.3, 0.4, -1.0, 1.0)},
        0.75,
        parts.additive,
        parts.interaction,
        {"gi": parts},
        (Evidence("A+D|K562", Near.SHARED, 1, None, 1.25, 2, 3),),
        Influence(exact, 9, 0.5, (Move(whole.key, True, -0.125, 0.75, (Well(1, "t.p1", "B07"),)),)),
        ("C was never measured.",),
    )


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 6, 8])
def test_the_sum_that_is_shown_is_right(order):
    names = "+".join("ABCDEFGH"[:order])
    [line] = [each for each in _told(experiment(f"{names}|K562")) if "made of" in each]
    shown, total = line.removeprefix("  made of: ").split(" = ")
    values = [float(part.rsplit(" ", 1)[1]) for part in shown.split(", ")]

    assert sum(values) == pytest.approx(float(total), abs=1e-9)
    assert ("higher-order rest" in line) == (order > 2)
    assert ("pair interactions" in line) == (order > 5)


def test_everything_is_told_to_a_person():
    told = "\n".join(_told(experiment("A+B|K562")))

    assert "warning: C was never measured." in told
    assert "nearest evidence: A+D|K562 = 1.25 (2 wells, round 3; shares perturbagens)" in told
    assert "moved most by: its own well, A+B|K562 = 0.75 (t.p1 B07): -0.12" in told


def test_an_approximation_is_called_one():
    assert "moved most (an approximation) by" in "\n".join(_told(experiment("A|K562", False)))


def test_the_command_tells_all_of_it(tmp_path: Path) -> None:
    pertloop = CommandLine(tmp_path / "home")
    folder = CampaignFolder(name="sim").with_("lab", adapter="simulated")
    folder = folder.with_("surrogate", name="gaussian-process").with_("library", order=[1, 2, 3])
    pertloop.document("init", folder.write(tmp_path / "files"))
    pertloop.document("propose", "sim", "--size", "20")
    pertloop.document("approve", "sim.b1")
    pertloop.document("dispatch", "sim.b1")
    pertloop.document("ingest", "sim")
    pertloop.document("retrain", "sim")
    key = pertloop.document("batches", "sim")[0]["choices"][0]["perturbation"]

    triple, own = pertloop.document("predict", "sim", "G03+G01+G02|K562", key)
    text = pertloop.text("predict", "sim", "G01+G02+G03|K562", key)

    parts = triple["parts"]["gi"]
    assert set(parts["pairs"]) == {"G01+G02", "G01+G03", "G02+G03"}
    assert parts["higher"] == {"G01+G02+G03": pytest.approx(parts["rest"])}
    whole = sum([parts["control"], *parts["additive"].values(), *parts["pairs"].values()])
    assert whole + parts["rest"] == pytest.approx(triple["belief"]["gi"]["mean"], rel=1e-9)
    assert own["influence"]["exact"] is True
    assert own["influence"]["most"][0]["own"] is True
    assert re.search(
        rf"moved most by: its own well, {re.escape(key)} = .* \(sim\S* [A-P]\d\d", text
    )
    assert "higher-order rest" in text
