import math

import pytest

from loop.campaign_file import parse_campaign, read_campaign
from loop.domain.campaign import FirstBatch
from loop.domain.constraints import Constraints, GroupRule
from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.domain.goal import Direction, Goal
from loop.domain.plate import PlateFormat

DESIGN = """
name = "k562-synthetic-lethal"
goal = "find-hits"
seed = 7
[library]
perturbagens = "genes.csv"
embeddings   = "gene_embeddings.npz"
contexts     = ["K562"]
order        = 2
forbidden    = "forbidden.csv"
[readout]
name = "gi"
direction = "both"
threshold = [-1.966, 1.818]
unit = "sd"
[batch]
size = 128
audit = 0.06
replicates = 1
max_uses_per_perturbagen = 0
[surrogate]
name = "ensemble"
members = 16
[acquisition]
name = "auto"
[lab]
adapter = "simulated"
plate = 384
[retrain]
every = "0 2 * * *"
after_observations = 64
"""
LEAST = """
name = "c"
goal = "maximize"
library.perturbagens = "g.csv"
library.contexts = ["K562"]
readout.name = "gi"
"""


def test_the_file_of_the_design_is_understood():
    file = parse_campaign(DESIGN, "campaign.toml")
    assert (file.name, file.goal, file.seed, file.budget) == (
        "k562-synthetic-lethal",
        Goal.FIND_HITS,
        7,
        0,
    )
    readout = file.readout[0].readout()
    assert (readout.name, readout.low, readout.high, readout.unit) == ("gi", -1.966, 1.818, "sd")
    assert (file.batch_rules().size, file.batch_rules().audit) == (128, 0.06)
    assert file.surrogate.choice().settings == {"members": 16}
    assert file.lab.rules().plate is PlateFormat.P384
    assert file.lab.rules().settings == {}
    assert file.retrain_rules().after_observations == 64


def test_what_is_left_out_has_a_default():
    file = parse_campaign(LEAST, "c.toml")
    assert (file.surrogate.name, file.acquisition.name, file.lab.adapter) == (
        "auto",
        "auto",
        "csv",
    )
    assert file.library.order == 2


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            'name = "gi"',
            'name = "gi"\ntreshold = 2',
            "unknown key 'readout.treshold'. Did you mean",
        ),
        ("[batch]", "[batch]\naudits = 1", "unknown key 'batch.audits'. Did you mean 'audit'"),
        ("seed = 7", "sead = 7", "unknown key 'sead'. Did you mean 'seed'"),
        ("[retrain]", "[retran]", "unknown key 'retran'. Did you mean 'retrain'"),
        ("[library]", "[library]\nzzz = 1", "unknown key 'library.zzz'. Remove it."),
        ('goal = "find-hits"', 'goal = "find-hit"', "goal = 'find-hit' is not right"),
        ("[batch]", "[batch]\nexplore = 2", "batch.explore = 2 is not right"),
        ("[batch]", '[batch]\nfirst = "best"', "batch.first = 'best' is not right"),
        ("[readout]", "[readout]\ntarget = inf", "readout.target = inf is not right"),
        ("[readout]", "[readout]\nweight = 2", "readout = .*: weight .* add target"),
        ("[batch]", "[constraints]\nmony = 1\n[batch]", "'constraints.mony'. Did you mean 'money'"),
        ("[batch]", "[constraints]\nmoney = -1\n[batch]", "constraints.money = -1 is not right"),
        ("[batch]", "[constraints]\nmoney = nan\n[batch]", "constraints.money = nan is not right"),
        ("[batch]", "[constraints]\nwell_cost = 2\n[batch]", "constraints = .*: .* add money"),
        ("[batch]", "[constraints]\ndiversity = 2\n[batch]", "constraints.diversity = 2 is not"),
        (
            "[batch]",
            "[constraints.max_dose]\nA = 3\n[batch]",
            "constraints.max_dose.A = 3 is not right",
        ),
        (
            "[batch]",
            '[constraints.group]\ncolumn = "p"\natleast = 3\n[batch]',
            "unknown key 'constraints.group.atleast'. Did you mean 'at_least'",
        ),
        (
            "[batch]",
            '[constraints.group]\ncolumn = "p"\n[batch]',
            "constraints.group = .* needs at_least or at_most",
        ),
        (
            "[batch]",
            '[constraints.group]\ncolumn = "p"\nat_least = 3\nat_most = 2\n[batch]',
            "constraints.group = .* turn them round",
        ),
        ('goal = "find-hits"', "", "the key 'goal' is missing"),
        ("size = 128", "size = 0", "batch.size = 0 is not right"),
        ("size = 128", 'size = "many"', "batch.size = 'many' is not right"),
        ("audit = 0.06", "audit = 1.5", "batch.audit = 1.5 is not right"),
        ("audit = 0.06", "audit = nan", "batch.audit = nan is not right"),
        ("seed = 7", "seed = -1", "seed = -1 is not right"),
        ("plate = 384", "plate = 385", "lab.plate = 385 is not right"),
        ('contexts     = ["K562"]', "contexts = []", "library.contexts = .* is not right"),
        ('contexts     = ["K562"]', "contexts = 5", "library.contexts = 5 is not right"),
        ("threshold = [-1.966, 1.818]", 'threshold = "high"', "readout.threshold = 'high'"),
        ("order        = 2", 'order = "two"', "library.order = 'two' is not right"),
        ("plate = 384", "plate = 384\npositive = 4", "positive_key"),
        ("seed = 7", "seed = ", "not valid TOML"),
        ("[acquisition]", '[acquisition]\nfruit = ["apple"]', "fruit = .* must be text"),
    ],
)
def test_every_wrong_key_or_value_is_named_in_one_sentence(right, wrong, told):
    assert right in DESIGN
    with pytest.raises(CampaignFileError, match=told) as refused:
        parse_campaign(DESIGN.replace(right, wrong, 1), "campaign.toml").acquisition.choice()
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize(
    ("direction", "threshold", "low", "high"),
    [
        ("up", "2.0", -math.inf, 2.0),
        ("down", "-2.0", -2.0, math.inf),
        ("up", "[-1.0, 2.0]", -math.inf, 2.0),
        ("down", "[-1.0, 2.0]", -1.0, math.inf),
        ("both", "[-1, 2]", -1.0, 2.0),
    ],
)
def test_a_threshold_counts_on_the_side_of_the_direction(direction, threshold, low, high):
    text = LEAST + f'readout.direction = "{direction}"\nreadout.threshold = {threshold}\n'
    readout = parse_campaign(text, "c").readout[0].readout()
    assert (readout.direction, readout.low, readout.high) == (Direction(direction), low, high)


def test_one_threshold_for_both_directions_is_ambiguous():
    file = parse_campaign(LEAST + "readout.threshold = 2\n", "c")
    with pytest.raises(CampaignFileError, match=r"readout.threshold is one number"):
        file.readout[0].readout()


def test_constraints_are_understood_and_those_of_the_space_are_left_to_the_library():
    text = """
[constraints]
must_include = ["A+B|K562"]
exclusive = ["class"]
well_cost = 1.5
money = 500
max_plates = 2
diversity = 0.3
max_dose = { A = "10uM" }
[[constraints.group]]
column = "pathway"
value = "DDR"
at_least = 4
at_most = 20
[[constraints.group]]
column = "kind"
at_most = 50
[batch]
explore = 0.1
explore_by = "epig"
first = "space-filling"
"""
    file = parse_campaign(LEAST + text, "c")
    assert file.constraints.max_dose == {"A": "10uM"}
    assert file.constraints.exclusive == ("class",)
    rules = file.batch_rules()
    assert (rules.explore, rules.explore_by, rules.first) == (0.1, "epig", FirstBatch.SPACE_FILLING)
    assert rules.constraints == Constraints(
        ("A+B|K562",),
        1.5,
        500,
        2,
        (GroupRule("pathway", "DDR", 4, 20), GroupRule("kind", None, 0, 50)),
        0.3,
    )


def test_a_wanted_state_is_a_target_of_some_readouts_with_a_weight():
    text = DESIGN.replace("[readout]", "[[readout]]\ntarget = 1.5\nweight = 2", 1)
    text = text.replace("[batch]", '[[readout]]\nname = "growth"\n[batch]', 1)
    readouts = [each.readout() for each in parse_campaign(text, "c").readout]
    assert [(each.target, each.weight) for each in readouts] == [(1.5, 2.0), (None, 1.0)]


def test_several_readouts_keep_their_order():
    text = DESIGN.replace("[readout]", "[[readout]]", 1) + '[[readout]]\nname = "growth"\n'
    text = text.replace("[batch]", '[[readout]]\nname = "viability"\n[batch]', 1)
    names = [each.name for each in parse_campaign(text, "c").readout]
    assert names == ["gi", "viability", "growth"]


def test_a_file_is_read_with_what_it_names_beside_it(tmp_path):
    (tmp_path / "genes.csv").write_text("id\nA\n")
    (tmp_path / "gene_embeddings.npz").write_bytes(b"PK")
    (tmp_path / "forbidden.csv").write_text("a,b\nA,B\n")
    path = tmp_path / "campaign.toml"
    path.write_text(DESIGN)
    read = read_campaign(path)
    assert sorted(read.library) == ["campaign", "forbidden", "perturbagens"]
    assert read.library["campaign"] == DESIGN.encode()
    assert read.embeddings == {"embeddings": b"PK"}


def test_embeddings_may_be_several_files_and_structures(tmp_path):
    for name in ("g.csv", "one.npz", "two.parquet"):
        (tmp_path / name).write_bytes(name.encode())
    path = tmp_path / "campaign.toml"
    path.write_text(LEAST + 'library.embeddings = ["one.npz", "morgan", "two.parquet"]\n')
    read = read_campaign(path)
    assert read.file.library.embedding_names == ("one.npz", "morgan", "two.parquet")
    assert read.embeddings == {"embeddings": b"one.npz", "embeddings-2": b"two.parquet"}
    path.write_text(LEAST + 'library.embeddings = "morgan"\n')
    assert read_campaign(path).embeddings == {}


def test_a_file_that_names_what_is_not_there_says_which(tmp_path):
    path = tmp_path / "campaign.toml"
    path.write_text(LEAST)
    with pytest.raises(UnreadableFileError, match=r"g.csv could not be read: no such file"):
        read_campaign(path)


def test_a_campaign_file_is_text(tmp_path):
    path = tmp_path / "campaign.toml"
    path.write_bytes(b"\xff\xfen\x00")
    with pytest.raises(UnreadableFileError, match="not UTF-8"):
        read_campaign(path)
