"""One question put to one library over all rounds."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from loop.domain.constraints import Constraints
from loop.domain.errors import BudgetSpentError, CampaignFileError
from loop.domain.goal import Direction, Goal, Normalization, Readout
from loop.domain.plate import PlateFormat

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")

Setting = str | int | float | bool


class FirstBatch(StrEnum):
    """How a batch is chosen while nothing has been measured and no earlier screen is known."""

    RANDOM = "random"
    SPACE_FILLING = "space-filling"


@dataclass(frozen=True, slots=True)
class BatchRules:
    """How batches of a campaign are made.

    `size` counts perturbations, each made `replicates` times. `audit` is the share of a batch
    drawn uniformly at random. `max_uses` of one perturbagen in a batch, 0: no limit. `reference`
    are canonical keys that repeat in every batch. `explore` is the share of a batch that the
    acquisition `explore_by` chooses.
    """

    size: int = 96
    audit: float = 0.06
    replicates: int = 1
    max_uses: int = 0
    reference: tuple[str, ...] = ()
    explore: float = 0.0
    explore_by: str = "max-variance"
    first: FirstBatch = FirstBatch.RANDOM
    constraints: Constraints = field(default_factory=Constraints)


@dataclass(frozen=True, slots=True)
class LabRules:
    """Which lab makes the plates, on which labware, with how many controls.

    `negative` and `positive` are control wells per plate; `positive_key` is the canonical key
    of the positive control. `settings` are the adapter's own.
    """

    adapter: str = "simulated"
    plate: PlateFormat = PlateFormat.P384
    negative: int = 8
    positive: int = 0
    positive_key: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetrainRules:
    """When to learn: a cron expression, and after how many new observations."""

    every: str | None = None
    after_observations: int = 1


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """A plug-in by name, with its settings."""

    name: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign; `version` counts changes, so that two writers cannot both win.

    `library_hash` and `embeddings_hash` name the input files that `init` stored.
    `readouts[0]` is the one the goal is about. `budget` is in perturbations, 0: none.
    """

    name: str
    goal: Goal
    seed: int
    readouts: tuple[Readout, ...]
    library_hash: str
    embeddings_hash: str | None
    batch: BatchRules
    surrogate: PluginChoice
    acquisition: PluginChoice
    lab: LabRules
    retrain: RetrainRules
    created_at: datetime
    budget: int = 0
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what no round could ever do."""
        if not _NAME.fullmatch(self.name):
            msg = (
                f"name = {self.name!r}: a campaign's name holds letters, digits, '.' and '-' only, "
                "at most 64 of them, because it becomes part of plate ids."
            )
            raise CampaignFileError(msg)
        if self.goal is Goal.FIND_HITS and not self.readouts[0].has_threshold:
            msg = (
                f"goal = 'find-hits' needs a threshold for readout {self.readouts[0].name!r}; "
                "add threshold = [low, high], or one number with direction = 'up' or 'down'."
            )
            raise CampaignFileError(msg)
        self._check_target()
        self._check_front()
        self._check_readouts()

    def _check_target(self) -> None:
        targets = [readout.name for readout in self.readouts if readout.target is not None]
        if self.goal is Goal.REACH_STATE and not targets:
            names = ", ".join(repr(readout.name) for readout in self.readouts)
            msg = (
                "goal = 'reach-state' needs readout.target, the value of the wanted state, for "
                f"one readout at least of {names}; add target = 1.2, say, under [[readout]]."
            )
            raise CampaignFileError(msg)
        if self.goal is not Goal.REACH_STATE and targets:
            msg = (
                f"readout.target is given for {targets[0]!r} but goal = {self.goal.value!r} has no "
                "use for it; choose goal = 'reach-state', or remove it."
            )
            raise CampaignFileError(msg)

    def _check_front(self) -> None:
        if self.goal is not Goal.PARETO:
            return
        if len(self.readouts) < 2:
            msg = (
                f"goal = 'pareto' needs two readouts or more, and only {self.readout.name!r} is "
                "given; add another [[readout]], or choose goal = 'maximize'."
            )
            raise CampaignFileError(msg)
        for readout in self.readouts:
            if readout.direction is Direction.BOTH:
                msg = (
                    f"goal = 'pareto' needs to know on which side readout {readout.name!r} is "
                    "better, and its readout.direction is 'both'; write direction = 'up' or 'down'."
                )
                raise CampaignFileError(msg)

    def _check_readouts(self) -> None:
        for name, times in Counter(readout.name for readout in self.readouts).items():
            if times > 1:
                msg = f"readout.name = {name!r} is given {times} times; give each readout its own."
                raise CampaignFileError(msg)
        for readout in self.readouts:
            if readout.normalization is Normalization.SUBTRACT_NEGATIVE and not self.lab.negative:
                msg = (
                    f"readout {readout.name!r} has normalize = 'subtract-negative', but "
                    "lab.negative = 0 puts no negative control on a plate; raise lab.negative, "
                    "or choose normalize = 'none'."
                )
                raise CampaignFileError(msg)

    @property
    def readout(self) -> Readout:
        """The readout that the goal is about."""
        return self.readouts[0]

    def next_size(self, asked: int | None, already: int) -> int:
        """How many perturbations the next batch may hold, given those already spent.

        Raises:
            BudgetSpentError: If the budget does not allow that many.
        """
        size = self.batch.size if asked is None else asked
        left = self.budget - already
        if self.budget and size > left:
            msg = (
                f"Campaign {self.name!r} has {max(left, 0)} of {self.budget} perturbations left "
                f"in its budget, {size} were asked for; propose fewer with --size."
            )
            raise BudgetSpentError(msg)
        return size
