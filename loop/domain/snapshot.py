"""A trained surrogate, stored: where it comes from and whether it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SnapshotState(StrEnum):
    """The part a snapshot plays."""

    CHAMPION = "champion"
    RETIRED = "retired"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One trained surrogate with its lineage.

    `id` is the SHA-256 of the stored tensors; `data_hash` that of the observations it learned
    from; `scores` are out-of-fold on audit wells. `stale` is set when a result that it learned
    from was superseded. `verdict` is the sentence that says why it was adopted or declined.
    """

    id: str
    campaign: str
    number: int
    surrogate: str
    parent: str | None
    data_hash: str
    observations: int
    seed: int
    code_version: str
    scores: Mapping[str, float | None]
    verdict: str
    created_at: datetime
    state: SnapshotState
    stale: bool = False
