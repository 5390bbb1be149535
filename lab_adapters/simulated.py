"""A lab that is not there: a hidden truth, measured with noise; for demos, tests and learning."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab_adapters.drop_folder import DropFolder, naming_problems
from lab_adapters.example import Example
from lab_adapters.hidden_truth import HiddenTruth
from lab_adapters.plate_map import PLATE_MAP, RESULTS_COLUMNS, render_plate_map, table
from lab_adapters.plate_reader import PlateReader
from lab_adapters.simulated_settings import SimulatedSettings
from loop.domain.goal import Readout
from loop.domain.perturbation import Perturbation
from loop.domain.plate import PlateFormat
from loop.ports.lab import Capabilities, LabSetup, Problem, ResultsChunk, WorkOrder

RESULTS = "results.csv"


class SimulatedLab:
    """Makes and measures any order at once: `plate_map.csv` and `results.csv` in one folder.

    The truth is `HiddenTruth`, the errors of measuring it are `PlateReader`'s, the settings
    `SimulatedSettings`. All of it follows from the seed: the same order gives the same numbers.
    """

    def __init__(self, setup: LabSetup) -> None:
        """Take up a seed and settings.

        Raises:
            InvalidError: If a setting is unknown or out of range.
        """
        self._settings = SimulatedSettings.parse(setup.settings, setup.seed)
        self._truth = HiddenTruth(self._settings.seed, self._settings.modules)
        self._folder = DropFolder(setup.folder)

    def describe(self) -> Capabilities:
        """All formats, any order, doses; measures by itself."""
        return Capabilities(frozenset(PlateFormat), max_order=None, doses=True, collects=True)

    def validate(self, order: WorkOrder) -> list[Problem]:
        """What cannot be written as files."""
        return naming_problems(order)

    def render(self, order: WorkOrder) -> Mapping[str, bytes]:
        """The plate map."""
        return {PLATE_MAP: render_plate_map(order)}

    def submit(self, order: WorkOrder, files: Mapping[str, bytes]) -> str:
        """Write the files and the results as one folder, whole or not at all.

        Cost: about 20 us for each well and readout.
        """
        if (reference := self.find(order.key)) is not None:
            return reference
        reader = PlateReader(self._truth, self._settings)
        results = table(RESULTS_COLUMNS, reader.rows(order))
        return self._folder.submit(order.key, order.batch, {**files, RESULTS: results})

    def find(self, key: str) -> str | None:
        """The batch whose plate map carries this key."""
        return self._folder.find(key)

    def collect(self, reference: str) -> list[ResultsChunk]:
        """The whole results file.

        Raises:
            LabUnreachableError: If the job's folder is gone.
        """
        return [ResultsChunk(RESULTS, self._folder.read(reference, RESULTS))]

    def true_values(self, perturbations: Sequence[Perturbation], readout: str) -> list[float]:
        """Noise-free effects against the control of the same context, which is 0."""
        return [float(effect) for effect in self._truth.effects(perturbations, readout)]

    def hit_chances(
        self, perturbations: Sequence[Perturbation], readout: Readout, replicates: int = 1
    ) -> list[float]:
        """The chance that the mean of some wells of each perturbation is a hit.

        Noise is counted, plate and edge errors are not. The mean over a space is the share of
        hits that choosing at random would find.
        """
        sd = max(self._settings.noise / math.sqrt(replicates), 1e-12)
        return [
            _below((readout.low - effect) / sd) + _below((effect - readout.high) / sd)
            for effect in self.true_values(perturbations, readout.name)
        ]

    def write_example(
        self,
        folder: Path,
        perturbagens: int,
        order: int,
        contexts: Sequence[str],
        batch: int = 96,
        hit_rate: float = 0.09,
        name: str = "demo",
    ) -> Path:
        """Write a campaign that this lab can run, and return the path of its campaign file.

        Writes `campaign.toml`, `genes.csv` and `gene_embeddings.npz`, over what is there.

        Args:
            folder: Made if it does not exist.
            perturbagens: How many genes the library holds.
            order: How many of them act together in every perturbation.
            contexts: Ids of the contexts.
            batch: Perturbations a round.
            hit_rate: Share of all perturbations that would be measured as hits, half on each
                side.
            name: The campaign's name.

        Raises:
            InvalidError: If there are fewer perturbagens than act together, or no context.
        """
        example = Example(self._truth, self._settings, perturbagens, order, tuple(contexts))
        return example.write(folder, batch, hit_rate, name)


def _below(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
