import csv
import io
import tomllib

import numpy as np
import pytest

from lab_adapters.simulated import SimulatedLab
from loop.contracts.lab_adapter import LabAdapterContract, order_of
from loop.domain.errors import InvalidError, LabUnreachableError
from loop.domain.goal import Readout
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.ports.lab import LabSetup, WorkOrder

FLAWLESS = {"noise": 0.0, "plate_sd": 0.0, "context_sd": 0.0, "edge": 0.0, "dead": 0.0}
GROWTH = Readout("growth", "sd")


class TestContract(LabAdapterContract):
    @pytest.fixture
    def factory(self):
        return SimulatedLab


class TestContractWithManyDeadWells(LabAdapterContract):
    @pytest.fixture
    def factory(self):
        return SimulatedLab

    @pytest.fixture
    def setup(self, tmp_path):
        return LabSetup(tmp_path / "lab", {"dead": 0.5}, 7)


def lab_with(folder, seed=7, **settings):
    return SimulatedLab(LabSetup(folder, settings, seed))


def whole_plate(perturbations, plate="b1.p1"):
    labware = PlateFormat.P384
    wells = tuple(
        Well(labware.well(*divmod(place, 24)), Role.TREATMENT, perturbation)
        for place, perturbation in enumerate(perturbations)
    )
    return WorkOrder("k1", "c", "b1", 1, (Plate(plate, "PL1", labware, wells),), (GROWTH,))


def measured(lab, order):
    (chunk,) = lab.collect(lab.submit(order, lab.render(order)))
    return list(csv.DictReader(io.StringIO(chunk.content.decode())))


def numbers(lab, order):
    return np.array([float(row["value"] or "nan") for row in measured(lab, order)])


CONTROLS = [Perturbation((), "K562")] * 384
PAIRS = [Perturbation.parse(f"G{n}+G{n + 1}|K562") for n in range(384)]


def test_a_lab_without_flaws_measures_the_truth(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS)

    values = numbers(lab, whole_plate(PAIRS))

    np.testing.assert_allclose(values, lab.true_values(PAIRS, "growth"), rtol=1e-5)


def test_the_same_seed_measures_the_same_bytes_anywhere(tmp_path):
    order = order_of()
    collected = [
        lab.collect(lab.submit(order, lab.render(order)))
        for lab in (lab_with(tmp_path / "a"), lab_with(tmp_path / "b"))
    ]

    assert collected[0] == collected[1]


def test_another_seed_measures_other_numbers_whether_set_up_or_in_the_settings(tmp_path):
    order = order_of()
    one, other, by_setting = (
        lab.collect(lab.submit(order, lab.render(order)))
        for lab in (
            lab_with(tmp_path / "a", seed=1),
            lab_with(tmp_path / "b", seed=2),
            SimulatedLab(LabSetup(tmp_path / "c", {"seed": 1}, 5)),
        )
    )

    assert one != other
    assert one == by_setting


def test_noise_has_the_spread_that_was_set(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS | {"noise": 0.8})

    values = numbers(lab, whole_plate(CONTROLS))

    assert values.std() == pytest.approx(0.8, rel=0.12)
    assert abs(values.mean()) < 0.2


def test_plates_are_offset_and_contexts_have_levels_of_their_own(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS | {"plate_sd": 1.0, "context_sd": 1.0})
    wells = tuple(
        Well(name, Role.NEGATIVE, Perturbation((), context))
        for name, context in (("A01", "K562"), ("A02", "Jurkat"))
    )
    plates = tuple(
        Plate(f"p{number}", f"PL{number}", PlateFormat.P96, wells) for number in range(40)
    )

    values = numbers(lab, WorkOrder("k", "c", "b1", 1, plates, (GROWTH,))).reshape(40, 2)

    assert values[:, 0].std() == pytest.approx(1.0, rel=0.4)
    assert np.ptp(values[:, 0] - values[:, 1]) < 1e-4
    assert abs(values[0, 0] - values[0, 1]) > 1e-3


def test_the_edge_is_shifted(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS | {"edge": 3.0})

    values = numbers(lab, whole_plate(CONTROLS)).reshape(16, 24)
    inner = values[2:-2, 2:-2].mean()

    assert np.mean([values[0].mean(), values[-1].mean()]) - inner == pytest.approx(3.0, abs=1.5)
    assert np.ptp(values[2:-2, 2:-2].mean(axis=0)) > 0.1


def test_dead_wells_have_no_value_and_say_why(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS | {"dead": 0.3})

    rows = measured(lab, whole_plate(PAIRS))
    statuses = {status: 0 for status in ("ok", "failed", "missing")}
    for row in rows:
        statuses[row["status"]] += 1
        assert (row["value"] == "") == (row["status"] != "ok")

    assert 0.2 < 1 - statuses["ok"] / 384 < 0.4
    assert min(statuses["failed"], statuses["missing"]) > 25


def test_a_well_left_empty_is_missing_and_a_blank_is_read(tmp_path):
    wells = (Well("A01", Role.EMPTY, None), Well("A02", Role.BLANK, None))
    plate = Plate("p", "PL1", PlateFormat.P96, wells)
    lab = lab_with(tmp_path, dead=0.0)

    empty, blank = measured(lab, WorkOrder("k", "c", "b1", 1, (plate,), (GROWTH,)))

    assert (empty["status"], empty["value"]) == ("missing", "")
    assert blank["status"] == "ok"


def test_replicates_on_one_plate_differ_by_noise_alone(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS | {"noise": 0.5, "plate_sd": 2.0})

    values = numbers(lab, whole_plate([PAIRS[0]] * 384))

    assert values.std() == pytest.approx(0.5, rel=0.12)


def test_the_chance_of_a_hit_is_that_of_the_noise(tmp_path):
    lab = lab_with(tmp_path, **FLAWLESS | {"noise": 0.5})
    readout = Readout("growth", low=-1.0, high=1.5)
    rng = np.random.default_rng(0)
    truth = np.array(lab.true_values(PAIRS, "growth"))

    chances = lab.hit_chances(PAIRS, readout)

    shown = truth + rng.normal(0.0, 0.5, (4000, len(truth)))
    np.testing.assert_allclose(chances, ((shown <= -1) | (shown >= 1.5)).mean(axis=0), atol=0.04)
    assert np.mean(lab.hit_chances(PAIRS, readout, replicates=10_000)) == pytest.approx(
        ((truth <= -1) | (truth >= 1.5)).mean(), abs=0.01
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("nois", 1.0, r"lab\.nois: .* no such setting.* Did you mean 'noise'\?"),
        ("noise", -1.0, r"lab\.noise = -1\.0 must be a number from 0"),
        ("noise", float("nan"), r"lab\.noise = nan must be a number"),
        ("dead", 1.5, r"lab\.dead = 1\.5 must be a number from 0 to 1"),
        ("modules", 2.5, r"lab\.modules = 2\.5 must be a whole number"),
        ("modules", 0, r"lab\.modules = 0 must be a whole number from 1 to 64"),
        ("seed", True, r"lab\.seed = True must be a whole number"),
        ("edge", "big", r"lab\.edge = 'big' must be a number"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path, name, value, sentence):
    with pytest.raises(InvalidError, match=sentence):
        SimulatedLab(LabSetup(tmp_path, {name: value}, 7))


def test_a_job_that_is_gone_is_told(tmp_path):
    with pytest.raises(LabUnreachableError, match="is gone"):
        lab_with(tmp_path).collect("b9")


def test_an_example_is_a_campaign_with_as_many_hits_as_asked_for(tmp_path):
    lab = lab_with(tmp_path / "lab", seed=3)

    path = lab.write_example(tmp_path / "example", 60, 2, ["K562", "Jurkat"], hit_rate=0.1)

    campaign = tomllib.loads(path.read_text())
    genes = list(csv.DictReader(io.StringIO((path.parent / "genes.csv").read_text())))
    low, high = campaign["readout"]["threshold"]
    pairs = [
        Perturbation.parse(f"{genes[a]['id']}+{genes[b]['id']}|{context}")
        for a in range(60)
        for b in range(a)
        for context in ("K562", "Jurkat")
    ]
    readout = Readout(campaign["readout"]["name"], low=low, high=high)
    assert np.mean(lab.hit_chances(pairs, readout)) == pytest.approx(0.1, abs=0.02)
    assert campaign["library"]["contexts"] == ["K562", "Jurkat"]
    assert genes[0] == {"id": "G001", "kind": "gene", "cost": "1"}


def test_the_lab_of_an_example_is_the_lab_that_wrote_it(tmp_path):
    lab = lab_with(tmp_path / "lab", seed=3, noise=0.25, modules=5)
    section = tomllib.loads(lab.write_example(tmp_path, 20, 2, ["K562"]).read_text())["lab"]

    settings = {
        key: value for key, value in section.items() if key not in {"adapter", "plate", "negative"}
    }
    again = SimulatedLab(LabSetup(tmp_path / "lab2", settings, 99))

    assert again.true_values(PAIRS, "fitness") == lab.true_values(PAIRS, "fitness")
    assert section["noise"] == 0.25


def test_embeddings_of_an_example_tell_of_modules_and_lack_a_few_genes(tmp_path):
    lab = lab_with(tmp_path / "lab", seed=3)
    lab.write_example(tmp_path, 240, 2, ["K562"])
    with np.load(tmp_path / "gene_embeddings.npz", allow_pickle=False) as archive:
        ids, expression = archive["id"], archive["expression"]
        assert set(archive) == {"id", "expression", "network"}
    assert len(ids) == len(expression) == 228

    pairs = [Perturbation.parse(f"{ids[0]}+{other}|K562") for other in ids[1:]]
    effects = np.array(lab.true_values(pairs, "fitness"))
    design = np.column_stack([expression[1:], np.ones(len(effects))])
    fitted = design @ np.linalg.lstsq(design, effects, rcond=None)[0]

    assert 0.2 < 1 - ((effects - fitted) ** 2).mean() / effects.var() < 0.95


def test_writing_an_example_twice_gives_the_same_files(tmp_path):
    for folder in ("a", "b"):
        lab_with(tmp_path / "lab").write_example(tmp_path / folder, 30, 3, ["K562"])

    for name in ("campaign.toml", "genes.csv", "gene_embeddings.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(("perturbagens", "order", "contexts"), [(1, 2, ["c"]), (5, 2, [])])
def test_an_example_without_candidates_is_refused(tmp_path, perturbagens, order, contexts):
    with pytest.raises(InvalidError, match="has no candidates"):
        lab_with(tmp_path / "lab").write_example(tmp_path, perturbagens, order, contexts)


def test_an_example_of_many_candidates_is_surveyed_in_part(tmp_path):
    lab = lab_with(tmp_path / "lab")

    path = lab.write_example(tmp_path, 1200, 2, ["K562"], hit_rate=0.2)

    low, high = tomllib.loads(path.read_text())["readout"]["threshold"]
    rng = np.random.default_rng(1)
    drawn = [rng.choice(1200, 2, replace=False) + 1 for _ in range(4000)]
    pairs = [Perturbation.parse(f"G{a:04d}+G{b:04d}|K562") for a, b in drawn]
    shown = np.mean(lab.hit_chances(pairs, Readout("fitness", low=low, high=high)))
    assert shown == pytest.approx(0.2, abs=0.03)
