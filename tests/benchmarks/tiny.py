"""A data folder with one small screen: what `hodc` of the catalogue reads, made up."""

from itertools import combinations
from pathlib import Path

import numpy as np

_DRUGS = ("a", "b", "c", "d", "e", "f")


def data_folder(folder: Path) -> Path:
    """Two groups of six drugs each, all 63 subsets, with additive effects and a little noise."""
    rng = np.random.default_rng(8)
    lines = ["group,order,drugs,response"]
    for group in (1, 2):
        effects = dict(zip(_DRUGS, rng.normal(size=len(_DRUGS)), strict=True))
        for order in range(1, len(_DRUGS) + 1):
            for drugs in combinations(_DRUGS, order):
                response = sum(effects[drug] for drug in drugs) + rng.normal(scale=0.1)
                named = "+".join(f"{drug}{group}" for drug in drugs)
                lines.append(f"{group},{order},{named},{response:.5f}")
    (folder / "hodc").mkdir(parents=True)
    (folder / "hodc" / "combos.csv").write_text("\n".join(lines) + "\n")
    return folder
