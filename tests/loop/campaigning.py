"""A campaign on a bench: storage in memory, a clock that ticks, results made up by the test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from loop.dispatch import dispatch_batch
from loop.domain.batch import Batch
from loop.domain.plate import Plate, Well
from loop.ingest import Ingested, ingest_results
from loop.initialize import initialize
from loop.propose import propose_batch
from loop.provided import Services
from loop.retrain import Retrained, retrain
from loop.review import approve
from loop.settings import Settings
from loop.standing import Record, read_record
from loop.store.files import InputFiles, SnapshotFiles
from tests.fakes import FixedClock, MemoryStorage
from tests.journeys.campaign_folder import CampaignFolder

TINY = CampaignFolder().with_("surrogate", name="random")
"""All 66 pairs of 12 genes, 6 a batch, one of them by lot, hits beyond +-1, the csv lab."""

ValueOf = Callable[[Plate, Well], str]


@dataclass
class TickingClock(FixedClock):
    """A second passes whenever it is asked."""

    def now(self) -> datetime:
        self.advance(timedelta(seconds=1))
        return self.moment


@dataclass
class Bench:
    """The use cases of one campaign, with fewer words."""

    services: Services
    folder: Path
    name: str = "tiny"
    files: int = field(default=0)

    @property
    def record(self) -> Record:
        with self.services.storage.reading() as work:
            return read_record(work, self.name)

    def batch(self, batch_id: str) -> Batch:
        with self.services.storage.reading() as work:
            return work.batches.get(batch_id)

    def propose(self, size: int | None = None) -> Batch:
        return propose_batch(self.services, self.name, size)

    def dispatched(self, size: int | None = None) -> Batch:
        """The next batch, on plates."""
        batch = self.propose(size)
        approve(self.services, batch.id)
        dispatch_batch(self.services, batch.id)
        return self.batch(batch.id)

    def plates(self, batch_id: str) -> tuple[Plate, ...]:
        with self.services.storage.reading() as work:
            dispatch = work.dispatches.get(batch_id)
        assert dispatch is not None
        return dispatch.plates

    def rows(self, batch_id: str, value_of: ValueOf) -> list[str]:
        """A row for every well; an empty value where `value_of` says so."""
        return [
            f"{plate.id},{well.name},gi,{value_of(plate, well)}"
            for plate in self.plates(batch_id)
            for well in plate.wells
        ]

    def write(self, rows: list[str], header: str = "plate_id,well,readout,value") -> Path:
        self.files += 1
        path = self.folder / f"results-{self.files}.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    def ingest(self, rows: list[str], keep_good: bool = False) -> Ingested:
        return ingest_results(self.services, self.name, self.write(rows), keep_good)

    def measured(self, size: int | None = None, value_of: "ValueOf | None" = None) -> Batch:
        """A whole round without learning."""
        batch = self.dispatched(size)
        self.ingest(self.rows(batch.id, value_of or honest))
        return self.batch(batch.id)

    def retrain(self, scratch: bool = False) -> Retrained:
        return retrain(self.services, self.name, scratch)


def honest(plate: Plate, well: Well) -> str:
    """A value that depends on the perturbation alone: 0 for a control, -2 to 2 for a pair."""
    if well.perturbation is None or well.perturbation.is_control:
        return "0.0"
    numbers = [int(part.perturbagen[1:]) for part in well.perturbation.components]
    return f"{(numbers[0] * 7 + numbers[-1] * 11) % 41 / 10 - 2:.2f}"


def provided(folder: Path) -> Services:
    """Services with storage in memory and files in `folder`."""
    return Services(
        Settings(home=folder / "home"),
        MemoryStorage(),
        SnapshotFiles(folder / "home" / "snapshots"),
        InputFiles(folder / "home" / "inputs"),
        TickingClock(),
        "ada",
        "test",
    )


def bench(folder: Path, campaign: CampaignFolder = TINY, services: Services | None = None) -> Bench:
    """A new campaign, initialised from files."""
    ready = services or provided(folder)
    initialize(ready, campaign.write(folder / campaign.name))
    return Bench(ready, folder, campaign.name)
