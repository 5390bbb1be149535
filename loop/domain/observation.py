"""What came back: measurements (one number from one well) and observations (folded)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loop.domain.perturbation import Perturbation


class WellStatus(StrEnum):
    """What is known of a number; only `ok` is learned from."""

    OK = "ok"
    MISSING = "missing"
    SATURATED = "saturated"
    FAILED = "failed"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number from one well, as the lab gave it; raw values are kept for ever.

    `value` is None unless the status says that there is a number. `revision` counts from 1; a
    later one supersedes. `source` is the SHA-256 of the file it came in.
    """

    plate: str
    well: str
    readout: str
    value: float | None
    unit: str
    status: WellStatus
    source: str
    measured_at: str = ""
    flag: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Observation:
    """The replicates of one perturbation and readout, folded.

    `spread` is the standard deviation between replicates (n - 1), None for a single one.
    """

    perturbation: Perturbation
    readout: str
    mean: float
    spread: float | None
    replicates: int


def fold(perturbation: Perturbation, readout: str, values: Iterable[float]) -> Observation:
    """Fold the replicate values of one perturbation (at least one)."""
    numbers = list(values)
    mean = math.fsum(numbers) / len(numbers)
    spread = None
    if len(numbers) > 1:
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in numbers) / (len(numbers) - 1))
    return Observation(perturbation, readout, mean, spread, len(numbers))


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a results file that was set aside, with the sentence that says why."""

    source: str
    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """A file that was ingested: the same bytes again are recognised by `sha256`."""

    sha256: str
    name: str
    accepted: int
    unchanged: int
    superseded: int
    rejected: int
    ingested_at: datetime
