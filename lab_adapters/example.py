"""A complete campaign for the simulated lab: library, embeddings and campaign file."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

import numpy as np

from lab_adapters.hidden_truth import HiddenTruth, seeded
from lab_adapters.simulated_settings import SimulatedSettings
from loop.domain.errors import InvalidError
from loop.domain.perturbation import Component, Perturbation

_READOUT = "fitness"
_UNIT = "sd"
_VIEWS = {"expression": 32, "network": 24}
_VIEW_NOISE = 0.35
_MISSING_ROWS = 0.05
_SURVEYED = 40_000


@dataclass(frozen=True, slots=True)
class Example:
    """Genes `G001`, `G002`, … whose embeddings are noisy linear images of their modules."""

    truth: HiddenTruth
    settings: SimulatedSettings
    perturbagens: int
    order: int
    contexts: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a library without candidates."""
        if not 1 <= self.order <= self.perturbagens or not self.contexts:
            msg = (
                f"An example of order {self.order} over {self.perturbagens} perturbagens and "
                f"{len(self.contexts)} contexts has no candidates; ask for more of them."
            )
            raise InvalidError(msg)

    def write(self, folder: Path, batch: int, hit_rate: float, name: str) -> Path:
        """Write all files and return the path of the campaign file."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "genes.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["id", "kind", "cost"])
            rows.writerows([gene, "gene", 1] for gene in self._genes())
        self._write_embeddings(folder / "gene_embeddings.npz")
        path = folder / "campaign.toml"
        path.write_text(self._campaign(batch, hit_rate, name), encoding="utf-8")
        return path

    def _genes(self) -> list[str]:
        width = max(3, len(str(self.perturbagens)))
        return [f"G{number:0{width}d}" for number in range(1, self.perturbagens + 1)]

    def _write_embeddings(self, path: Path) -> None:
        """Views as arrays (genes, features), with the ids in `id`; some genes have no row."""
        rng = seeded(self.truth.seed, "embeddings", self.perturbagens)
        known = np.sort(
            rng.permutation(self.perturbagens)[: round(self.perturbagens * (1 - _MISSING_ROWS))]
        )
        genes = [self._genes()[row] for row in known]
        factors = self.truth.factors(genes)
        views = {}
        for view, width in _VIEWS.items():
            image = rng.standard_normal((self.truth.modules, width)) / math.sqrt(width)
            blur = rng.normal(0.0, _VIEW_NOISE, (len(genes), width))
            views[view] = (factors @ image + blur).astype(np.float32)
        np.savez(path, allow_pickle=False, id=np.array(genes), **views)

    def _campaign(self, batch: int, hit_rate: float, name: str) -> str:
        low, high = self._thresholds(hit_rate)
        lab = {field.name: getattr(self.settings, field.name) for field in fields(self.settings)}
        lines = [
            f"name = {json.dumps(name)}",
            'goal = "find-hits"',
            f"seed = {self.settings.seed}",
            "",
            "[library]",
            'perturbagens = "genes.csv"',
            'embeddings = "gene_embeddings.npz"',
            f"contexts = {json.dumps(self.contexts, ensure_ascii=False)}",
            f"order = {self.order}",
            "",
            "[readout]",
            f'name = "{_READOUT}"',
            'direction = "both"',
            f"threshold = [{low:.2f}, {high:.2f}]",
            f'unit = "{_UNIT}"',
            'normalize = "subtract-negative"',
            "",
            "[batch]",
            f"size = {batch}",
            "audit = 0.06",
            "replicates = 1",
            "",
            "[surrogate]",
            'name = "ensemble"',
            "",
            "[acquisition]",
            'name = "auto"',
            "",
            "[lab]",
            'adapter = "simulated"',
            "plate = 384",
            "negative = 16",
            *(f"{key} = {value}" for key, value in lab.items()),
        ]
        return "\n".join(lines) + "\n"

    def _thresholds(self, hit_rate: float) -> tuple[float, float]:
        """Quantiles of what single wells would show, without plate and edge errors."""
        surveyed = list(self._surveyed())
        rng = seeded(self.truth.seed, "thresholds")
        noise = rng.normal(0.0, self.settings.noise, len(surveyed))
        shown = self.truth.effects(surveyed, _READOUT) + noise
        low, high = np.quantile(shown, [hit_rate / 2, 1 - hit_rate / 2])
        return float(low), float(high)

    def _surveyed(self) -> Iterator[Perturbation]:
        """Every candidate, or a random part of them where they are many."""
        genes = self._genes()
        if math.comb(self.perturbagens, self.order) * len(self.contexts) <= _SURVEYED:
            for context in self.contexts:
                for together in combinations(genes, self.order):
                    yield Perturbation(tuple(map(Component, together)), context)
            return
        rng = seeded(self.truth.seed, "survey", self.perturbagens, self.order)
        for number in range(_SURVEYED):
            together = tuple(genes[row] for row in rng.choice(len(genes), self.order, False))
            context = self.contexts[number % len(self.contexts)]
            yield Perturbation(tuple(map(Component, together)), context)
