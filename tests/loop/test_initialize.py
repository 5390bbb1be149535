import numpy as np
import pytest

from loop.domain.errors import CampaignFileError
from loop.initialize import initialize
from tests.journeys.campaign_folder import GENES
from tests.loop.campaigning import TINY, bench, provided
from tests.loop.representation.files import npz


def test_reference_designs_are_kept_by_their_canonical_keys(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", reference=["G02+G01|K562", "G03+G04|K562"]))
    assert desk.record.campaign.batch.reference == ("G01+G02|K562", "G03+G04|K562")


def test_a_plate_need_not_hold_more_contexts_than_a_batch_can_have(tmp_path):
    many = [f"c{number}" for number in range(40)]
    desk = bench(tmp_path, TINY.with_("library", contexts=many))
    assert len(desk.dispatched().choices) == 6


def test_embeddings_of_several_kinds_are_stored_reported_and_read_again(tmp_path):
    smiles = [f"{'C' * (number + 1)}O" for number in range(11)] + ["C(("]
    library = "id,smiles\n" + "".join(f"{g},{s}\n" for g, s in zip(GENES, smiles, strict=True))
    rng = np.random.default_rng(0)
    folder = (
        TINY.with_("library", embeddings=["urs.npz", "morgan", "more.csv"])
        .with_table("genes.csv", library)
        .with_table("urs.npz", npz(id=np.array(GENES[:6]), go=rng.normal(size=(6, 3))))
        .with_table("more.csv", "id,u\n" + "".join(f"{g},{n + 1}\n" for n, g in enumerate(GENES)))
    )
    services = provided(tmp_path)

    made = initialize(services, folder.write(tmp_path / "tiny"))

    covered = {view.name: view.covered for view in made.coverage.views}
    assert covered == {"go": 6, "morgan": 11, "descriptors": 11, "more": 12}
    assert any("'G12' cannot be read" in note for note in made.coverage.notes)
    again = services.read_inputs(made.campaign).representations
    np.testing.assert_array_equal(again.perturbagens, made.inputs.representations.perturbagens)


def test_structures_alone_need_no_file(tmp_path):
    library = "id,smiles\n" + "".join(f"{g},{'C' * (n + 1)}O\n" for n, g in enumerate(GENES))
    folder = TINY.with_("library", embeddings="morgan").with_table("genes.csv", library)
    services = provided(tmp_path)

    made = initialize(services, folder.write(tmp_path / "tiny"))

    assert made.campaign.embeddings_hash is None
    assert services.read_inputs(made.campaign).representations.known.all()


def test_without_embeddings_there_is_nothing_to_report(tmp_path):
    assert initialize(provided(tmp_path), TINY.write(tmp_path / "tiny")).coverage is None


def test_a_goal_about_one_readout_says_which_others_it_does_not_seek(tmp_path):
    file = TINY.write(tmp_path / "tiny")
    growth = '\n[[readout]]\nname = "growth"\n'
    file.write_text(file.read_text().replace("[readout]", "[[readout]]") + growth)

    made = initialize(provided(tmp_path), file)

    assert "'growth' will be predicted but not sought" in made.notes[-1]


@pytest.mark.parametrize(
    ("section", "keys", "said"),
    [
        ("acquisition", {"name": "pareto"}, r"acquisition.name = 'pareto' .* choose 'auto'"),
        (
            "acquisition",
            {"name": "mixture", "random": 0.5, "reach-state": 0.5},
            "acquisition.name = 'mixture' does not serve goal 'find-hits', only 'reach-state'",
        ),
        ("batch", {"explore": 0.5, "explore_by": "pareto"}, "batch.explore_by = 'pareto' does not"),
    ],
)
def test_an_acquisition_that_does_not_serve_the_goal_is_refused_before_any_batch(
    tmp_path, section, keys, said
):
    file = TINY.with_(section, **keys).write(tmp_path / "tiny")

    with pytest.raises(CampaignFileError, match=said):
        initialize(provided(tmp_path), file)
