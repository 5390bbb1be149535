"""The measured screens that decisions are judged on, and how each is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from loop.domain.errors import CampaignFileError
from loop.domain.goal import Goal
from loop.domain.nearest import did_you_mean
from loop.replay.campaign import Plan
from loop.screen import Columns

GENES = "gene_features/gene_embeddings.npz"
_FOUR_ROUNDS, _FIVE_ROUNDS = Plan(128, 4, 128), Plan(128, 5, 128)


@dataclass(frozen=True, slots=True)
class Entry:
    """A screen of the data folder, and the question put to it.

    Attributes:
        name: What to call it on the command line.
        table: The measured table, below the data folder.
        columns: Which columns mean what.
        plan: First wells, rounds and wells a round.
        goal: What is looked for.
        threshold: Where hits begin, where no column says so.
        top: The share that are hits, where neither a column nor a threshold says so.
        embeddings: A table of perturbagen URs, below the data folder.
        drugs: A table with a column `smiles`, whose first column is the id; URs are then Morgan
            fingerprints.
        prior: Earlier screens that may be learned from: the table, and which column is its readout.
        by_default: Whether it runs when no screen is named.
    """

    name: str
    table: str
    columns: Columns
    plan: Plan = _FOUR_ROUNDS
    goal: Goal = Goal.FIND_HITS
    threshold: tuple[float, float] | None = None
    top: float | None = None
    embeddings: str | None = None
    drugs: str | None = None
    prior: tuple[tuple[str, str], ...] = ()
    by_default: bool = True

    def files(self) -> tuple[str, ...]:
        """Every file that it reads, below the data folder."""
        named = (self.table, self.embeddings, self.drugs, *(table for table, _ in self.prior))
        return tuple(each for each in named if each is not None)


def _genes(name: str, plan: Plan = _FOUR_ROUNDS) -> Entry:
    columns = Columns(("gene",), "score", hit="is_hit")
    return Entry(name, f"gene_screens/{name}.csv.gz", columns, plan, embeddings=GENES)


def _oneil(name: str, drugs: str | None) -> Entry:
    columns = Columns(("drug_a", "drug_b"), "loewe", context="cell_line", hit="is_hit")
    return Entry(name, "oneil2016/pairs.csv.gz", columns, drugs=drugs, by_default=drugs is not None)


def _yale(name: str, drugs: str | None) -> Entry:
    columns = Columns(
        ("drug_a", "drug_b"), "bliss_excess", ("dose_a_uM", "dose_b_uM"), "cell_line", "is_hit"
    )
    return Entry(name, "yale_pdac/pairs.csv.gz", columns, drugs=drugs, by_default=drugs is not None)


_K562 = Columns(("gene_a", "gene_b"), "gi_k562", hit="is_hit")
_K562_TABLE = "horlbeck2018/k562_pairs.csv.gz"
_JURKAT = (("horlbeck2018/jurkat_pairs.csv.gz", "gi_jurkat_est"),)

_ENTRIES = (
    Entry("horlbeck", _K562_TABLE, _K562, _FIVE_ROUNDS, embeddings=GENES),
    Entry("horlbeck-jurkat", _K562_TABLE, _K562, _FIVE_ROUNDS, embeddings=GENES, prior=_JURKAT),
    _oneil("oneil", "oneil2016/drugs.csv"),
    _oneil("oneil-identity", None),
    _yale("yale", "yale_pdac/drugs.csv"),
    _yale("yale-identity", None),
    _genes("ifng"),
    _genes("il2"),
    _genes("scharenberg22", Plan(32, 4, 32)),
    _genes("sanchez21_down"),
    Entry(
        "cloud2017",
        "cloud2017/pairs.csv.gz",
        Columns(("id_a", "id_b"), "interaction", hit="is_hit"),
        drugs="cloud2017/drugs.csv",
    ),
    Entry(
        "cloud2017-poc",
        "cloud2017/pairs.csv.gz",
        Columns(("id_a", "id_b"), "poc"),
        goal=Goal.MINIMIZE,
        threshold=(5.0, float("inf")),
        drugs="cloud2017/drugs.csv",
    ),
    Entry(
        "decrease",
        "decrease2019/dose_matrices.csv.gz",
        Columns(("drug_a", "drug_b"), "bliss_excess", ("dose_a", "dose_b"), "cell_line", "is_hit"),
        drugs="decrease2019/drugs.csv",
    ),
    Entry(
        "rbd15",
        "landscapes/moulana2022_rbd15.csv.gz",
        Columns(("genotype",), "log10_kd"),
        goal=Goal.MINIMIZE,
        top=0.05,
    ),
    Entry(
        "fp13",
        "landscapes/poelwijk2019_fp13.csv.gz",
        Columns(("genotype",), "combined"),
        goal=Goal.MAXIMIZE,
        top=0.05,
    ),
    Entry(
        "hodc",
        "hodc/combos.csv",
        Columns(("drugs",), "response", context="group"),
        Plan(24, 4, 16),
        goal=Goal.MAXIMIZE,
        top=0.05,
    ),
)

SCREENS: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def screens(names: tuple[str, ...]) -> tuple[Entry, ...]:
    """The screens of some names, or those that run by default.

    Raises:
        CampaignFileError: If a name is not known.
    """
    for name in names:
        if name not in SCREENS:
            hint = did_you_mean(name, SCREENS)
            msg = f"There is no screen {name!r}.{hint} Known: {', '.join(SCREENS)}."
            raise CampaignFileError(msg)
    if names:
        return tuple(SCREENS[name] for name in dict.fromkeys(names))
    return tuple(entry for entry in _ENTRIES if entry.by_default)
