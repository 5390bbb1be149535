"""What a use case is provided with: ports, settings, and who asks."""

from dataclasses import dataclass, replace
from pathlib import Path

from loop import plugins
from loop.domain.campaign import Campaign
from loop.domain.log import LogEntry
from loop.inputs import Inputs, read_inputs
from loop.ports.engine import Surrogate, SurrogateProblem
from loop.ports.lab import LabAdapter, LabSetup
from loop.ports.storage import Clock, InputStore, StateStore, Storage
from loop.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a use case may ask of the world.

    `who` and `origin` (the command or address that a request came from) go into the log.
    """

    settings: Settings
    storage: Storage
    states: StateStore
    inputs: InputStore
    clock: Clock
    who: str
    origin: str

    def read_inputs(self, campaign: Campaign) -> Inputs:
        """The library and representations of a campaign."""
        embeddings = self.inputs.load(campaign.embeddings_hash) if campaign.embeddings_hash else {}
        return read_inputs(self.inputs.load(campaign.library_hash), embeddings)

    def surrogate(
        self, campaign: Campaign, inputs: Inputs, checkpoint: Path | None = None
    ) -> Surrogate:
        """An unfitted surrogate for a campaign; `checkpoint`: where training leaves its state."""
        problem = self.problem(campaign, inputs)
        return plugins.surrogate(campaign.surrogate.name)(replace(problem, checkpoint=checkpoint))

    def problem(self, campaign: Campaign, inputs: Inputs) -> SurrogateProblem:
        """What the surrogates of a campaign are built from."""
        return SurrogateProblem(
            inputs.representations,
            inputs.library.max_order,
            len(campaign.readouts),
            campaign.surrogate.settings,
            self.settings.compute,
            inputs.prior,
        )

    def lab(self, campaign: Campaign) -> LabAdapter:
        """The lab adapter of a campaign, with a folder of its own."""
        setup = LabSetup(self.lab_folder(campaign), campaign.lab.settings, campaign.seed)
        return plugins.lab_adapter(campaign.lab.adapter)(setup)

    def lab_folder(self, campaign: Campaign) -> Path:
        """The folder in which a campaign's lab adapter may leave files."""
        return self.settings.home / "lab" / campaign.lab.adapter / campaign.name

    def checkpoint_folder(self, campaign: Campaign) -> Path:
        """The folder in which the training of a campaign's surrogate may leave its state."""
        return self.settings.home / "checkpoints" / campaign.name

    def entry(self, verb: str, what: str, detail: str = "") -> LogEntry:
        """A log entry of now."""
        return LogEntry(self.clock.now(), self.who, verb, what, self.origin, detail)
