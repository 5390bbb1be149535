"""The perturbations chosen in one round, and what becomes of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from loop.domain.errors import WrongStateError
from loop.domain.perturbation import Perturbation


class BatchState(StrEnum):
    """Where a batch stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DISPATCHED = "dispatched"
    PARTIAL = "partial"
    COMPLETE = "complete"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


_NEXT: Mapping[BatchState, frozenset[BatchState]] = {
    BatchState.PROPOSED: frozenset({BatchState.APPROVED, BatchState.REJECTED}),
    BatchState.APPROVED: frozenset(
        {BatchState.DISPATCHED, BatchState.REJECTED, BatchState.CANCELLED}
    ),
    BatchState.DISPATCHED: frozenset(
        {BatchState.PARTIAL, BatchState.COMPLETE, BatchState.FAILED, BatchState.CANCELLED}
    ),
    BatchState.PARTIAL: frozenset(
        {BatchState.PARTIAL, BatchState.COMPLETE, BatchState.FAILED, BatchState.CANCELLED}
    ),
    # Results are append-only: a later revision may empty or fill wells again.
    BatchState.COMPLETE: frozenset({BatchState.COMPLETE, BatchState.PARTIAL, BatchState.FAILED}),
    BatchState.FAILED: frozenset({BatchState.PARTIAL, BatchState.COMPLETE, BatchState.FAILED}),
    BatchState.REJECTED: frozenset(),
    BatchState.CANCELLED: frozenset(),
}

AWAITING_DATA = frozenset({BatchState.PROPOSED, BatchState.APPROVED, BatchState.DISPATCHED})
"""States in which no result has come back: proposing again returns such a batch."""

PENDING = AWAITING_DATA | {BatchState.PARTIAL}
"""States whose unmeasured wells may still be measured, and so are not on offer."""


class ChosenBy(StrEnum):
    """Why a perturbation is in the batch."""

    ACQUISITION = "acquisition"
    AUDIT = "audit"
    REFERENCE = "reference"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class PredictedReadout:
    """What the surrogate believed of one readout before the well was measured.

    All in the readout's unit and calibrated; `low` and `high` bound the 90 % interval of one well.
    """

    mean: float
    epistemic_sd: float
    aleatoric_sd: float
    low: float
    high: float

    @property
    def sd(self) -> float:
        """SD of one new measurement."""
        return math.hypot(self.epistemic_sd, self.aleatoric_sd)

    def of_mean(self, wells: int) -> "PredictedReadout":
        """The belief about the mean of so many wells: less noise, the same doubt."""
        noise = self.aleatoric_sd / math.sqrt(wells)
        narrower = math.hypot(self.epistemic_sd, noise) / self.sd
        return PredictedReadout(
            self.mean,
            self.epistemic_sd,
            noise,
            self.mean + (self.low - self.mean) * narrower,
            self.mean + (self.high - self.mean) * narrower,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """One perturbation of a batch, with the reason in a sentence.

    `inclusion_probability` is known for audit wells only: each candidate's chance to be drawn.
    `belief` is keyed by readout, and empty where no surrogate had been trained. `rank` is the
    place among all candidates rated, from 1; None where there was none. `contribution` is the
    share of the batch's whole value that this choice brought; None where value has no meaning.
    """

    perturbation: Perturbation
    chosen_by: ChosenBy
    score: float | None
    reason: str
    belief: Mapping[str, PredictedReadout]
    inclusion_probability: float | None = None
    rank: int | None = None
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a batch was expected to bring before it was measured, audit wells included.

    `value` is the number of hits, or for goals without hits the gain over the best so far, in
    `unit` ("hits", or the readout's unit); `low` and `high` bound its 90 % interval; `random` is
    what as many wells drawn by lot would bring, None where nobody can tell.
    """

    value: float
    low: float
    high: float
    random: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class RoundScores:
    """How the belief held before a batch compares with what came back (primary readout).

    `hit_rate` is hits per measured perturbation; `coverage90` and `spearman` concern all
    measured perturbations of the batch, `audit_*` its audit wells, `selected_*` those that the
    acquisition chose. None: not computable.
    """

    measured: int
    hits: int | None
    hit_rate: float | None
    rmse: float | None
    nll: float | None
    spearman: float | None
    coverage90: float | None
    audit_rmse: float | None
    audit_coverage90: float | None
    selected_coverage90: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What was chosen in one round, its seed, and its state.

    `notes` are sentences about how it was chosen: what was scanned, which constraints bound it.
    """

    id: str
    campaign: str
    number: int
    choices: tuple[Choice, ...]
    seed: int
    surrogate: str
    acquisition: str
    snapshot: str | None
    created_at: datetime
    replicates: int = 1
    state: BatchState = BatchState.PROPOSED
    decided_by: str | None = None
    why: str | None = None
    scores: RoundScores | None = None
    forecast: Forecast | None = None
    notes: tuple[str, ...] = ()

    def moved_to(self, state: BatchState, by: str | None = None, why: str | None = None) -> "Batch":
        """The batch in its next state.

        Raises:
            WrongStateError: If that step does not exist.
        """
        if state not in _NEXT[self.state]:
            legal = ", ".join(sorted(each.value for each in _NEXT[self.state])) or "nothing more"
            msg = (
                f"Batch {self.id!r} is {self.state.value} and cannot become {state.value}; "
                f"from here it may become: {legal}."
            )
            raise WrongStateError(msg)
        return replace(
            self,
            state=state,
            decided_by=self.decided_by if by is None else by,
            why=self.why if why is None else why,
        )
