"""A virtual instrument: forty genes read off the states that a growth screen has taught.

A screen of pairs with one cheap readout trains an ensemble. Then a small Perturb-seq of the same
library trains a new decoder on the frozen manipulators; it is saved, loaded, and asked about
pairs whose expression nobody measured. Run it with
`.venv/bin/python examples/virtual_instrument.py [FOLDER]`; the file is left in FOLDER.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from loop.ports.arrays import Combinations, FloatArray, Representations, TrainingSet
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.ensemble import Ensemble
from surrogate.virtual_instrument import Card, Output, VirtualInstrument

GENES, COLUMNS, WELLS, SEQUENCED, READ = 60, 8, 500, 100, 40


def simulated(rng: np.random.Generator) -> tuple[FloatArray, TrainingSet, FloatArray]:
    """URs, a growth screen of pairs, and what their expression would be, shape (n, 40)."""
    features = rng.normal(size=(GENES, COLUMNS))
    every = np.stack(np.triu_indices(GENES, 1), axis=1)
    pairs = every[rng.choice(len(every), WELLS, replace=False)]
    programme = (features @ rng.normal(size=(COLUMNS, 3)) / COLUMNS**0.5)[pairs].sum(axis=1)
    growth = programme @ np.array([1.0, -0.7, 0.4]) + 0.3 * rng.normal(size=WELLS)
    expression = programme @ rng.normal(size=(3, READ))
    screen = TrainingSet(
        Combinations(pairs, np.zeros_like(pairs), np.zeros(WELLS, dtype=np.int64)),
        growth[:, None],
        np.ones((WELLS, 1), dtype=np.int64),
        np.full((WELLS, 1), np.nan),
        rng.integers(2**63, size=WELLS).astype(np.uint64),
        np.zeros(WELLS, dtype=bool),
    )
    return features, screen, expression


def main(folder: Path) -> float:
    """Train, save, load, read; returns the correlation with the truth on pairs not sequenced."""
    rng = np.random.default_rng(0)
    features, screen, truth = simulated(rng)
    representations = Representations(
        features, np.ones(GENES, dtype=bool), np.ones((1, 1)), np.zeros((GENES, 1))
    )
    ensemble = Ensemble(SurrogateProblem(representations, 2, 1, {"members": 8}, Compute()))
    ensemble.fit(screen, rng)

    measured = truth[:SEQUENCED] + 0.3 * rng.normal(size=(SEQUENCED, READ))
    card = Card(
        name="pseudobulk",
        outputs=tuple(Output(f"gene{number}", "log2 fold change") for number in range(READ)),
        data="a simulated Perturb-seq of 100 pairs",
        licence="CC0-1.0",
        created_at=datetime.now(UTC),
    )
    sequenced = screen.combinations[np.arange(SEQUENCED)]
    instrument = VirtualInstrument.fit(ensemble, sequenced, measured, card)
    instrument.save(folder / "pseudobulk.safetensors")

    again = VirtualInstrument.load(folder / "pseudobulk.safetensors", ensemble)
    others = np.arange(SEQUENCED, WELLS)
    belief = again.predict(screen.combinations[others])
    agreement = float(np.corrcoef(belief.mean.ravel(), truth[others].ravel())[0, 1])
    inside = np.abs(belief.mean - truth[others]) < 1.645 * belief.sd
    print(f"{again.card.name}: {len(again.card.outputs)} outputs, {again.card.licence}")
    print(f"correlation with the truth on {len(others)} other pairs: {agreement:.2f}")
    print(f"90 % intervals hold {inside.mean():.0%} of the true values")
    return agreement


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
