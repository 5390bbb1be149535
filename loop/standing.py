"""How a campaign stands: all that was read of it in one moment, and what follows from that."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loop.domain.batch import AWAITING_DATA, PENDING, Batch, BatchState, ChosenBy
from loop.domain.campaign import Campaign
from loop.domain.dispatch import Dispatch
from loop.domain.observation import Measurement
from loop.domain.perturbation import Perturbation
from loop.domain.snapshot import Snapshot, SnapshotState
from loop.encoding import LibraryIndex
from loop.inputs import Inputs
from loop.observe import Observed, observe, training_set
from loop.ports.arrays import IntArray, TrainingSet
from loop.ports.engine import CandidateSpace
from loop.ports.storage import UnitOfWork


@dataclass(frozen=True)
class Record:
    """What the database holds of a campaign, read in one transaction."""

    campaign: Campaign
    batches: tuple[Batch, ...]
    dispatches: tuple[Dispatch, ...]
    measurements: tuple[Measurement, ...]
    snapshots: tuple[Snapshot, ...]

    @cached_property
    def observed(self) -> Observed:
        """Everything measured, normalised and folded."""
        return observe(self.dispatches, self.measurements, self.campaign.readouts)

    @property
    def champion(self) -> Snapshot | None:
        """The snapshot in use."""
        reigning = [s for s in self.snapshots if s.state is SnapshotState.CHAMPION]
        return reigning[-1] if reigning else None

    @property
    def open_batch(self) -> Batch | None:
        """The batch that waits for a decision, a lab, or its first result."""
        waiting = [batch for batch in self.batches if batch.state in AWAITING_DATA]
        return waiting[-1] if waiting else None

    @property
    def spent(self) -> int:
        """Perturbations that count against the budget."""
        free = (BatchState.REJECTED, BatchState.CANCELLED)
        return sum(len(batch.choices) for batch in self.batches if batch.state not in free)

    @cached_property
    def audit_keys(self) -> frozenset[str]:
        """Keys of perturbations that were drawn by lot.

        Where one was chosen again (its batch was turned down, or its wells failed), the batch
        that was made last says how.
        """
        free = (BatchState.REJECTED, BatchState.CANCELLED)
        chosen_by = {
            choice.perturbation.key: choice.chosen_by
            for batch in self.batches
            if batch.state not in free
            for choice in batch.choices
        }
        return frozenset(key for key, by in chosen_by.items() if by is ChosenBy.AUDIT)

    @cached_property
    def resolved_wells(self) -> frozenset[tuple[str, str]]:
        """Plate and well of every measurement of the goal's readout, whatever its status."""
        name = self.campaign.readout.name
        return frozenset((m.plate, m.well) for m in self.measurements if m.readout == name)

    def outstanding(self, batch: Batch) -> list[Perturbation]:
        """The perturbations of a batch of which some well may still report."""
        if batch.state not in PENDING:
            return []
        dispatch = next((each for each in self.dispatches if each.batch == batch.id), None)
        if dispatch is None or batch.state in (BatchState.PROPOSED, BatchState.APPROVED):
            return [choice.perturbation for choice in batch.choices]
        open_keys = {
            well.perturbation.key
            for plate in dispatch.plates
            for well in plate.wells
            if well.perturbation is not None and (plate.id, well.name) not in self.resolved_wells
        }
        return [c.perturbation for c in batch.choices if c.perturbation.key in open_keys]

    @property
    def pending(self) -> list[Perturbation]:
        """Perturbations that are on their way."""
        return [each for batch in self.batches for each in self.outstanding(batch)]

    @cached_property
    def tested(self) -> list[Perturbation]:
        """Chosen perturbations whose goal readout has been measured, in the order chosen."""
        name = self.campaign.readout.name
        chosen = {
            choice.perturbation.key: choice.perturbation
            for batch in self.batches
            for choice in batch.choices
        }
        return [each for key, each in chosen.items() if name in self.observed.by_key.get(key, {})]

    @property
    def hits(self) -> list[Perturbation]:
        """Tested perturbations that pass a threshold."""
        readout = self.campaign.readout
        values = self.observed.by_key
        return [e for e in self.tested if readout.is_hit(values[e.key][readout.name].mean)]


def read_record(work: UnitOfWork, name: str) -> Record:
    """Read a campaign whole.

    Raises:
        CampaignNotFoundError: If there is no such campaign.
    """
    return Record(
        work.campaigns.get(name),
        tuple(work.batches.of(name)),
        tuple(work.dispatches.of(name)),
        tuple(work.results.current(name)),
        tuple(work.snapshots.of(name)),
    )


@dataclass(frozen=True)
class Standing:
    """A record together with the library it is about, in arrays."""

    record: Record
    inputs: Inputs

    @cached_property
    def index(self) -> LibraryIndex:
        """The library's positions."""
        return LibraryIndex(self.inputs.library)

    @cached_property
    def space(self) -> CandidateSpace:
        """All that may be chosen."""
        return self.index.space()

    @cached_property
    def training(self) -> TrainingSet:
        """All that can be learned from."""
        return training_set(
            self.record.observed,
            self.record.campaign.readouts,
            self.index,
            self.record.audit_keys,
        )

    def addresses(self, perturbations: Iterable[Perturbation]) -> IntArray:
        """The sorted addresses of those perturbations that are candidates."""
        listed = list(perturbations)
        if not listed:
            return np.zeros(0, dtype=np.int64)
        combinations = self.index.encode(listed)
        found = self.space.rank(combinations)
        return np.unique(found[(found >= 0) & self.space.permitted(combinations)])

    @property
    def taken(self) -> IntArray:
        """Sorted addresses that are measured or on their way."""
        name = self.record.campaign.readout.name
        measured = [
            found[name].perturbation
            for found in self.record.observed.by_key.values()
            if name in found
        ]
        return self.addresses([*measured, *self.record.pending])
