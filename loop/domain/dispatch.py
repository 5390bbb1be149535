"""A batch on its way through a lab: plates, the key that makes it one job, and its state."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loop.domain.plate import Plate


class JobState(StrEnum):
    """Where a lab job stands; written before the lab is called (write-ahead)."""

    SUBMITTING = "submitting"
    QUEUED = "queued"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One batch given to one lab adapter.

    `key` is the idempotency key that travels inside the artefact: the same key twice is one
    job. `reference` is the lab's own name for the job, once it is known.
    """

    key: str
    batch: str
    adapter: str
    plates: tuple[Plate, ...]
    layout_seed: int
    created_at: datetime
    state: JobState = JobState.SUBMITTING
    reference: str | None = None
