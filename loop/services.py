"""The composition root: the only place where an implementation meets a port."""

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from loop import plugins
from loop.domain.campaign import Campaign
from loop.domain.errors import UnavailableError, UnreadableFileError
from loop.domain.log import LogEntry
from loop.inputs import Inputs, read_inputs
from loop.ports.engine import Surrogate, SurrogateProblem
from loop.ports.lab import LabAdapter, LabSetup
from loop.ports.storage import Clock, InputStore, StateStore, Storage
from loop.settings import Settings, read_settings
from loop.store.clock import SystemClock
from loop.store.engine import open_storage
from loop.store.files import InputFiles, SnapshotFiles


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

    def surrogate(self, campaign: Campaign, inputs: Inputs) -> Surrogate:
        """An unfitted surrogate for a campaign."""
        return plugins.surrogate(campaign.surrogate.name)(
            SurrogateProblem(
                inputs.representations,
                inputs.library.max_order,
                len(campaign.readouts),
                campaign.surrogate.settings,
                self.settings.compute,
            )
        )

    def lab(self, campaign: Campaign) -> LabAdapter:
        """The lab adapter of a campaign, with a folder of its own."""
        name = campaign.lab.adapter
        folder = self.settings.home / "lab" / name / campaign.name
        setup = LabSetup(folder, campaign.lab.settings, campaign.seed)
        return plugins.lab_adapter(name)(setup)

    def entry(self, verb: str, what: str, detail: str = "") -> LogEntry:
        """A log entry of now."""
        return LogEntry(self.clock.now(), self.who, verb, what, self.origin, detail)


def build(settings: Settings | None = None, origin: str = "library") -> Services:
    """Put everything together; creates `home` and a new database where there is none.

    Raises:
        InvalidError: If a setting is wrong.
        SchemaVersionError: If the database belongs to another version.
        UnavailableError: If the database cannot be opened.
    """
    chosen = settings or read_settings()
    home = _made(chosen.home)
    return Services(
        chosen,
        open_storage(chosen.url),
        SnapshotFiles(home / "snapshots"),
        InputFiles(home / "inputs"),
        SystemClock(),
        chosen.user or _login(),
        origin,
    )


def _made(home: Path) -> Path:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        msg = f"PERTLOOP_HOME={home} is a file; name a folder."
        raise UnreadableFileError(msg) from error
    except OSError as error:
        msg = f"PERTLOOP_HOME={home} cannot be created: {(error.strerror or '').lower()}."
        raise UnavailableError(msg) from error
    return home


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
