"""The campaign file: TOML as a person writes it, checked key by key."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from loop.domain.campaign import (
    BatchRules,
    LabRules,
    PluginChoice,
    RetrainRules,
    Setting,
)
from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.domain.goal import Direction, Goal, Normalization, Readout
from loop.domain.nearest import did_you_mean
from loop.domain.plate import PlateFormat
from loop.representation import MORGAN
from loop.tables import read_bytes

_LATER_GOALS = ("reach-state", "pareto")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LibrarySection(_Section):
    """`[library]`: which files hold what may be chosen, and what is known of it beforehand."""

    perturbagens: str
    embeddings: str | tuple[str, ...] | None = None
    embedding_id: str | None = None
    views: tuple[str, ...] = ()
    contexts: tuple[str, ...] | str = Field(min_length=1)
    order: int | tuple[int, ...] = 2
    forbidden: str | None = None
    allowed: str | None = None

    @property
    def embedding_files(self) -> dict[str, str]:
        """The embeddings that are files, by the roles under which `init` stores them."""
        files = [name for name in self.embedding_names if name != MORGAN]
        roles = ("embeddings", *(f"embeddings-{number}" for number in range(2, len(files) + 1)))
        return dict(zip(roles, files, strict=False))

    @property
    def embedding_names(self) -> tuple[str, ...]:
        """All embeddings in the order written: files, or `morgan`."""
        written = self.embeddings or ()
        return (written,) if isinstance(written, str) else written


class ReadoutSection(_Section):
    """`[readout]`: what is measured and where a hit begins."""

    name: str
    unit: str = ""
    direction: Direction = Direction.BOTH
    threshold: float | tuple[float, float] | None = None
    normalize: Normalization = Normalization.NONE

    def readout(self) -> Readout:
        """The domain's readout."""
        low, high = -math.inf, math.inf
        if isinstance(self.threshold, tuple):
            low, high = self.threshold
        elif self.threshold is not None and self.direction is Direction.UP:
            high = self.threshold
        elif self.threshold is not None and self.direction is Direction.DOWN:
            low = self.threshold
        elif self.threshold is not None:
            msg = (
                "readout.threshold is one number but readout.direction is 'both'; "
                "write threshold = [low, high], or choose a direction."
            )
            raise CampaignFileError(msg)
        if self.direction is Direction.UP:
            low = -math.inf
        if self.direction is Direction.DOWN:
            high = math.inf
        return Readout(self.name, self.unit, self.direction, low, high, self.normalize)


class BatchSection(_Section):
    """`[batch]`: how many perturbations a round, and how they are made."""

    size: Annotated[int, Field(ge=1)] = 96
    audit: Annotated[float, Field(ge=0, le=1)] = 0.06
    replicates: Annotated[int, Field(ge=1, le=96)] = 1
    max_uses_per_perturbagen: Annotated[int, Field(ge=0)] = 0
    reference: tuple[str, ...] = ()


class PluginSection(BaseModel):
    """`[surrogate]` and `[acquisition]`: a name, and settings that the plug-in checks."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    def choice(self) -> PluginChoice:
        """The domain's plug-in choice."""
        return PluginChoice(self.name, _settings(self))


class LabSection(BaseModel):
    """`[lab]`: which adapter, which plates, which controls; further keys are the adapter's."""

    model_config = ConfigDict(extra="allow", frozen=True)
    adapter: str = "csv"
    plate: Literal[96, 384, 1536] = 384
    negative: Annotated[int, Field(ge=0)] = 8
    positive: Annotated[int, Field(ge=0)] = 0
    positive_key: str | None = None

    @model_validator(mode="after")
    def _positive_is_named(self) -> "LabSection":
        if self.positive and self.positive_key is None:
            msg = "positive wells need positive_key, the perturbation to put in them"
            raise ValueError(msg)
        return self

    def rules(self) -> LabRules:
        """The domain's lab rules."""
        return LabRules(
            self.adapter,
            PlateFormat(self.plate),
            self.negative,
            self.positive,
            self.positive_key,
            _settings(self),
        )


class RetrainSection(_Section):
    """`[retrain]`: when to learn."""

    every: str | None = None
    after_observations: Annotated[int, Field(ge=1)] = 1


class PriorSection(_Section):
    """`[[prior]]`: an earlier screen, and what its columns mean where that is not plain."""

    table: str
    perturbagens: tuple[str, ...] = Field(min_length=1)
    readout: str | None = None
    doses: tuple[str, ...] = ()
    context: str | None = None


class CampaignFile(_Section):
    """The whole file."""

    name: str
    goal: Goal
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    budget: Annotated[int, Field(ge=0)] = 0
    library: LibrarySection
    readout: tuple[ReadoutSection, ...] = Field(min_length=1)
    batch: BatchSection = BatchSection()
    surrogate: PluginSection = PluginSection(name="auto")
    acquisition: PluginSection = PluginSection(name="auto")
    lab: LabSection = LabSection()
    retrain: RetrainSection = RetrainSection()
    prior: tuple[PriorSection, ...] = ()

    @property
    def prior_files(self) -> dict[str, PriorSection]:
        """The earlier screens by the roles under which `init` stores their tables."""
        return {f"prior-{number}": each for number, each in enumerate(self.prior, 1)}

    def batch_rules(self) -> BatchRules:
        """The domain's batch rules."""
        return BatchRules(
            self.batch.size,
            self.batch.audit,
            self.batch.replicates,
            self.batch.max_uses_per_perturbagen,
            self.batch.reference,
        )

    def retrain_rules(self) -> RetrainRules:
        """The domain's retrain rules."""
        return RetrainRules(self.retrain.every, self.retrain.after_observations)


@dataclass(frozen=True, slots=True)
class ReadCampaign:
    """A campaign file with the files it names, as bytes by the role they play."""

    file: CampaignFile
    library: dict[str, bytes]
    embeddings: dict[str, bytes]


def _settings(section: BaseModel) -> dict[str, Setting]:
    extra: dict[str, Any] = section.model_extra or {}
    for key, value in extra.items():
        if not isinstance(value, str | int | float | bool):
            msg = f"{key} = {value!r} must be text, a number, true or false."
            raise CampaignFileError(msg)
    return dict(extra)


def parse_campaign(text: str, name: str) -> CampaignFile:
    """Read and check a campaign file.

    Raises:
        CampaignFileError: For the first thing that is wrong; the sentence names the key, and the
            nearest right one where a key is unknown.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{name} is not valid TOML: {error}."
        raise CampaignFileError(msg) from error
    if raw.get("goal") in _LATER_GOALS:
        msg = (
            f"{name}: goal = {raw['goal']!r} is not available in this version; "
            f"use one of {', '.join(goal.value for goal in Goal)}."
        )
        raise CampaignFileError(msg)
    for section in ("readout", "prior"):
        if isinstance(raw.get(section), dict):
            raw[section] = [raw[section]]
    try:
        return CampaignFile.model_validate(raw)
    except ValidationError as error:
        raise CampaignFileError(f"{name}: {_sentence(error.errors()[0])}") from error


def _sentence(error: ErrorDetails) -> str:
    # A third part, where there is one, is pydantic's name for one of several types.
    path = [str(part) for part in error["loc"] if not isinstance(part, int)][:2]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(path[-1], _keys_beside(path))
        return f"unknown key {key!r}.{hint or ' Remove it.'}"
    if error["type"] == "missing":
        return f"the key {key!r} is missing; add it."
    if error["type"] in ("tuple_type", "too_short"):
        return f'{key} = {error.get("input")!r} is not right: write a list, such as ["a", "b"].'
    reason = error["msg"].removeprefix("Value error, ")
    return f"{key} = {error.get('input')!r} is not right: {reason[0].lower()}{reason[1:]}."


def _keys_beside(path: list[str]) -> list[str]:
    section: type[BaseModel] = CampaignFile
    sections: dict[str, type[BaseModel]] = {
        "library": LibrarySection,
        "readout": ReadoutSection,
        "batch": BatchSection,
        "retrain": RetrainSection,
        "prior": PriorSection,
    }
    if len(path) > 1:
        section = sections.get(path[0], CampaignFile)
    return list(section.model_fields)


def read_campaign(path: Path) -> ReadCampaign:
    """Read a campaign file and the files it names, which stand relative to it.

    Raises:
        CampaignFileError: If the file has a wrong key or value.
        UnreadableFileError: If a file cannot be read.
    """
    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text; a campaign file is TOML."
        raise UnreadableFileError(msg) from error
    file = parse_campaign(text, str(path))
    section = file.library
    named: dict[str, str | None] = {
        "perturbagens": section.perturbagens,
        "forbidden": section.forbidden,
        "allowed": section.allowed,
        "contexts": section.contexts if isinstance(section.contexts, str) else None,
    }
    library = {
        role: read_bytes(path.parent / each) for role, each in named.items() if each is not None
    }
    library["campaign"] = text.encode()
    for role, prior in file.prior_files.items():
        library[role] = read_bytes(path.parent / prior.table)
    embeddings = {
        role: read_bytes(path.parent / name) for role, name in section.embedding_files.items()
    }
    return ReadCampaign(file, library, embeddings)
