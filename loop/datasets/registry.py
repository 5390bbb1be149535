"""Public screens that fit `pertloop replay`: name, address, checksum, licence, citation.

Each address names a full commit, so what stands there cannot change; each checksum was computed
from the file stored at that commit. None of the screens is part of Pertloop.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from loop.domain.errors import DatasetNotFoundError
from loop.domain.nearest import did_you_mean

_AGENT = (
    "https://raw.githubusercontent.com/snap-stanford/BioDiscoveryAgent/"
    "19673c7371c542cfa155ffaa9047c53525f9fe2e/datasets/"
)
_AGENT_LICENCE = "MIT (snap-stanford/BioDiscoveryAgent, which republishes the paper's scores)"
_SCHMIDT = (
    "Schmidt et al. 2022, CRISPR activation and interference screens decode stimulation responses "
    "in primary human T cells, Science 375, eabj4008"
)
_SINGLE_GENES = "--perturbagens Gene --readout Score"
_PROTOCOL = "--start 128 --rounds 4 --batch 128 --seeds 3"


@dataclass(frozen=True, slots=True)
class Dataset:
    """One public screen.

    Attributes:
        name: What a person types.
        what: What was measured, in a sentence.
        address: Where the file is, at a fixed commit.
        sha256: Of the file's bytes, in hex.
        bytes: Length of the file.
        file: What the file is called here.
        licence: Of the place that it is fetched from.
        citation: Whom to cite.
        replay: The command that replays it; `{path}` stands for the file.
    """

    name: str
    what: str
    address: str
    sha256: str
    bytes: int
    file: str
    licence: str
    citation: str
    replay: str

    def replay_command(self, path: Path) -> str:
        """The command line that replays the fetched file, ready for a POSIX shell."""
        return self.replay.replace("{path}", shlex.quote(str(path)))


_REGISTRY = (
    Dataset(
        name="horlbeck2018",
        what="Genetic interactions of all 100,576 pairs of 448 genes and a control in K562 "
        "(CRISPRi, growth); both names stand in one column, which the first command splits",
        address=_AGENT + "ground_truth_Horlbeck.csv",
        sha256="c54185ba5b417353480dc322b51ac786727983298f5fe115d1341d3c6e90f50e",
        bytes=3_673_321,
        file="horlbeck2018.csv",
        licence=_AGENT_LICENCE,
        citation="Horlbeck et al. 2018, Mapping the Genetic Landscape of Human Cells, Cell 174, "
        "953-967",
        replay=r"""sed -e "s/^Gene_pairs/gene_a,gene_b/" """
        r"""-e "s/^\"('\([^']*\)', '\([^']*\)')\"/\1,\2/" {path} > horlbeck2018_pairs.csv && """
        "pertloop replay horlbeck2018_pairs.csv --perturbagens gene_a,gene_b --readout Score "
        f"--threshold=-1.966,1.818 {_PROTOCOL}",
    ),
    Dataset(
        name="ifng",
        what="Interferon-gamma production of primary T cells, 18,418 single genes (log fold "
        "change; 920 hits in both tails)",
        address=_AGENT + "ground_truth_IFNG.csv",
        sha256="89c363b196976bd5d4574c0edb3447e1f93c3075ccff94f031066d2aa4cdb333",
        bytes=295_721,
        file="ifng.csv",
        licence=_AGENT_LICENCE,
        citation=_SCHMIDT,
        replay=f"pertloop replay {{path}} {_SINGLE_GENES} --threshold=-0.390335,0.391309 "
        f"{_PROTOCOL}",
    ),
    Dataset(
        name="il2",
        what="Interleukin-2 production of primary T cells, 18,939 single genes (log fold "
        "change; 654 hits in both tails)",
        address=_AGENT + "ground_truth_IL2.csv",
        sha256="40b27104ea01f9e38d42822a1021cee00529dca34fcf2c9cca7bd4bd79622503",
        bytes=293_457,
        file="il2.csv",
        licence=_AGENT_LICENCE,
        citation=_SCHMIDT,
        replay=f"pertloop replay {{path}} {_SINGLE_GENES} --threshold=-0.32403,0.34084 {_PROTOCOL}",
    ),
    Dataset(
        name="carnevale2022",
        what="Proliferation of T cells under an adenosine agonist, 18,861 single-gene knock-outs "
        "(943 hits in both tails)",
        address=_AGENT + "ground_truth_Carnevale22_Adenosine.csv",
        sha256="07c8bf9c03daf1a13d02945d146c73d85233dfee945921df5265d9297169375d",
        bytes=293_468,
        file="carnevale2022.csv",
        licence=_AGENT_LICENCE,
        citation="Carnevale et al. 2022, RASA2 ablation in T cells boosts antigen sensitivity and "
        "long-term function, Nature 609, 174-182",
        replay=f"pertloop replay {{path}} {_SINGLE_GENES} --threshold=-0.33655,0.33654 {_PROTOCOL}",
    ),
    Dataset(
        name="scharenberg2022",
        what="Lysosomal choline recycling, 1,055 single genes of an endolysosomal library (six "
        "stand twice; 53 hits in the high tail)",
        address=_AGENT + "ground_truth_Scharenberg22.csv",
        sha256="8af56bc1b87f446a1c5fb87f9a48d96a28d32baff228f2cbe2fea24559d08255",
        bytes=12_210,
        file="scharenberg2022.csv",
        licence=_AGENT_LICENCE,
        citation="Scharenberg et al. 2023, An SPNS1-dependent lysosomal lipid transport pathway "
        "that enables cell survival under choline limitation, Science Advances 9, eadf8966",
        replay=f"pertloop replay {{path}} {_SINGLE_GENES} --threshold=-inf,94.1 "
        "--start 32 --rounds 4 --batch 32 --seeds 3",
    ),
    Dataset(
        name="sanchez2021",
        what="Tau protein in neurons, 18,469 single-gene knock-outs (significance of lowering it; "
        "only the low tail means anything: 462 hits)",
        address=_AGENT + "ground_truth_Sanchez21.csv",
        sha256="e86b3cf2bcadce16d57621acd86fa3834153a4130e48e2a8a4e016964c197a41",
        bytes=392_798,
        file="sanchez2021.csv",
        licence=_AGENT_LICENCE,
        citation="Sanchez et al. 2021, Genome-wide CRISPR screen identifies protein pathways "
        "modulating tau protein levels in neurons, Communications Biology 4, 736",
        replay=f"pertloop replay {{path}} {_SINGLE_GENES} --threshold=-2.6280998,inf {_PROTOCOL}",
    ),
    Dataset(
        name="oneil2016",
        what="Loewe synergy of drug pairs in cancer cell lines: 36 drugs, 35 lines, 18,270 "
        "conditions (some measured twice)",
        address="https://raw.githubusercontent.com/qiaoliuhub/drug_combination/"
        "d5bba2fd9a655c6e4ce8decd979343d2224c6c66/data/synergy_score/synergy_score.csv",
        sha256="972cfb3490e0611def718d3d07fdf7f46eb0d3dae1292653283aee025f0e40a3",
        bytes=1_182_529,
        file="oneil2016.csv",
        licence="MIT (qiaoliuhub/drug_combination, which republishes the scores)",
        citation="O'Neil et al. 2016, An Unbiased Oncology Compound Screen to Identify Novel "
        "Combination Strategies, Mol Cancer Ther 15, 1155-1162; scores: Preuer et al. 2018, "
        "DeepSynergy, Bioinformatics 34, 1538-1546",
        replay="pertloop replay {path} --perturbagens drug_a_name,drug_b_name "
        f"--context cell_line --readout synergy --threshold=-inf,30 {_PROTOCOL}",
    ),
)


def registry() -> tuple[Dataset, ...]:
    """Every registered public screen."""
    return _REGISTRY


def named(name: str) -> Dataset:
    """The screen of this name.

    Raises:
        DatasetNotFoundError: If there is none; the sentence names the nearest.
    """
    for dataset in _REGISTRY:
        if dataset.name == name:
            return dataset
    known = [dataset.name for dataset in _REGISTRY]
    hint = did_you_mean(name, known) or f" Registered are {', '.join(known)}."
    msg = f"No public screen is registered as {name!r}.{hint}"
    raise DatasetNotFoundError(msg)
