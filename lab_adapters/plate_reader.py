"""The simulated plate reader: true effects in, numbers with all the faults of a lab out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lab_adapters.hidden_truth import HiddenTruth, seeded
from lab_adapters.plate_map import results_row
from lab_adapters.simulated_settings import SimulatedSettings
from loop.domain.goal import Readout
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role
from loop.ports.arrays import FloatArray
from loop.ports.lab import WorkOrder


@dataclass(frozen=True, slots=True)
class PlateReader:
    """Reads plates: value = effect + context + plate + position + noise, or no value at all.

    Every error hangs on a hash of the seed, the batch's and the plate's number and the readout,
    and on the well's position: a plate that is read again gives the same numbers, and so does a
    campaign that is repeated under another name.
    """

    truth: HiddenTruth
    settings: SimulatedSettings

    def rows(self, order: WorkOrder) -> Iterator[dict[str, str]]:
        """A results row for every plate, readout and well of an order."""
        for number, plate in enumerate(order.plates, start=1):
            name = f"{order.batch_number}.{number}"
            dead = self._dead(plate, name)
            for readout in order.readouts:
                values = self._values(plate, name, readout)
                for well, value in zip(plate.wells, values, strict=True):
                    status = dead.get(well.name, "missing" if well.role is Role.EMPTY else "ok")
                    cells = {
                        "value": f"{value:.6g}" if status == "ok" else "",
                        "unit": readout.unit,
                        "instrument": "simulated",
                        "status": status,
                    }
                    yield results_row(order, plate, well, readout.name, **cells)

    def _values(self, plate: Plate, name: str, readout: Readout) -> FloatArray:
        """Shape (wells of the plate,)."""
        named = [
            (place, well.perturbation)
            for place, well in enumerate(plate.wells)
            if well.perturbation is not None
        ]
        values = np.zeros(len(plate.wells))
        if named:
            places = [place for place, _ in named]
            values[places] = self._levels([each for _, each in named], readout.name)
        rng = seeded(self.settings.seed, "plate", name, readout.name)
        field = rng.normal(0.0, self.settings.plate_sd) + self._position_errors(plate.format, rng)
        rows, columns = zip(
            *(plate.format.position(well.name) for well in plate.wells), strict=True
        )
        return np.asarray(values + field[list(rows), list(columns)])

    def _levels(self, perturbations: list[Perturbation], readout: str) -> FloatArray:
        """True effects on top of each context's own level."""
        seed, sd = self.settings.seed, self.settings.context_sd
        levels = {
            context: seeded(seed, "level", readout, context).normal(0.0, sd)
            for context in {each.context for each in perturbations}
        }
        own = np.array([levels[each.context] for each in perturbations])
        return np.asarray(own + self.truth.effects(perturbations, readout))

    def _position_errors(self, labware: PlateFormat, rng: np.random.Generator) -> FloatArray:
        """Edge, row, column and well errors, shape (rows, columns)."""
        rows, columns = labware.rows, labware.columns
        edge = self.settings.edge
        from_edge = np.minimum.outer(
            np.minimum(np.arange(rows), np.arange(rows)[::-1]),
            np.minimum(np.arange(columns), np.arange(columns)[::-1]),
        )
        ring = edge * np.clip(1.0 - 0.5 * from_edge, 0.0, 1.0)
        lines = rng.normal(0.0, abs(edge) / 3.0, (rows, 1)) + rng.normal(
            0.0, abs(edge) / 3.0, (1, columns)
        )
        return np.asarray(ring + lines + rng.normal(0.0, self.settings.noise, (rows, columns)))

    def _dead(self, plate: Plate, name: str) -> dict[str, str]:
        """Wells without a number: half of them failed, the other half were not read."""
        labware = plate.format
        luck = seeded(self.settings.seed, "dead", name).random((labware.rows, labware.columns))
        dead = {}
        for well in plate.wells:
            chance = luck[labware.position(well.name)]
            if chance < self.settings.dead:
                dead[well.name] = "failed" if chance < self.settings.dead / 2 else "missing"
        return dead
