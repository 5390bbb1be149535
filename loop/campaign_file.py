"""The campaign file: TOML as a person writes it, checked key by key."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from loop.domain.campaign import (
    BatchRules,
    FirstBatch,
    LabRules,
    PluginChoice,
    RetrainRules,
    Setting,
)
from loop.domain.constraints import Constraints, GroupRule
from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.domain.goal import Direction, Goal, Normalization, Readout
from loop.domain.nearest import did_you_mean
from loop.domain.plate import PlateFormat
from loop.representation import MORGAN
from loop.tables import read_bytes

_DEEPER = (("constraints", "group"), ("constraints", "max_dose"))
"""Sections within a section: a wrong key of theirs is named in three parts."""


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
    """`[readout]`: what is measured and where a hit begins, or which value is wanted."""

    name: str
    unit: str = ""
    direction: Direction = Direction.BOTH
    threshold: float | tuple[float, float] | None = None
    normalize: Normalization = Normalization.NONE
    target: FiniteFloat | None = None
    weight: Annotated[FiniteFloat, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _weight_has_a_target(self) -> "ReadoutSection":
        if self.weight is not None and self.target is None:
            msg = "weight says how much a miss of the target counts; add target, or remove weight"
            raise ValueError(msg)
        return self

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
        weight = 1.0 if self.weight is None else self.weight
        return Readout(
            self.name, self.unit, self.direction, low, high, self.normalize, self.target, weight
        )


class BatchSection(_Section):
    """`[batch]`: how many perturbations a round, and how they are made."""

    size: Annotated[int, Field(ge=1)] = 96
    audit: Annotated[float, Field(ge=0, le=1)] = 0.06
    replicates: Annotated[int, Field(ge=1, le=96)] = 1
    max_uses_per_perturbagen: Annotated[int, Field(ge=0)] = 0
    reference: tuple[str, ...] = ()
    explore: Annotated[float, Field(ge=0, le=1)] = 0.0
    explore_by: str = "max-variance"
    first: FirstBatch = FirstBatch.RANDOM


class GroupSection(_Section):
    """`[[constraints.group]]`: how many choices may or must hold a perturbagen of a group."""

    column: str
    value: str | None = None
    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "GroupSection":
        if not self.at_least and self.at_most is None:
            msg = "a group needs at_least or at_most, such as at_least = 4"
            raise ValueError(msg)
        if self.at_most is not None and self.at_most < self.at_least:
            msg = f"at_most is {self.at_most} but at_least is {self.at_least}; turn them round"
            raise ValueError(msg)
        return self

    def rule(self) -> GroupRule:
        """The domain's rule."""
        return GroupRule(self.column, self.value, self.at_least, self.at_most)


class ConstraintsSection(_Section):
    """`[constraints]`: what every batch keeps to beside its size."""

    must_include: tuple[str, ...] = ()
    max_dose: dict[str, str] = Field(default_factory=dict)
    exclusive: tuple[str, ...] = ()
    well_cost: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    money: Annotated[FiniteFloat, Field(ge=0)] | None = None
    max_plates: Annotated[int, Field(ge=0)] = 0
    group: tuple[GroupSection, ...] = ()
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _cost_has_a_limit(self) -> "ConstraintsSection":
        if self.well_cost and self.money is None:
            msg = "well_cost counts towards money; add money, or remove well_cost"
            raise ValueError(msg)
        return self

    def constraints(self) -> Constraints:
        """The domain's constraints, less those that shape the space."""
        return Constraints(
            self.must_include,
            self.well_cost,
            self.money,
            self.max_plates,
            tuple(each.rule() for each in self.group),
            self.diversity,
        )


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
    constraints: ConstraintsSection = ConstraintsSection()
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
            self.batch.explore,
            self.batch.explore_by,
            self.batch.first,
            self.constraints.constraints(),
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
    _list_sections(raw)
    try:
        return CampaignFile.model_validate(raw)
    except ValidationError as error:
        # A key that is unknown says more than one that is missing: it may be that one, misspelled.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise CampaignFileError(f"{name}: {_sentence(first)}") from error


def _list_sections(raw: dict[str, Any]) -> None:
    """Let a section that may be repeated be written once, as `[readout]`."""
    constraints = raw.get("constraints")
    for where, section in (
        (raw, "readout"),
        (raw, "prior"),
        (constraints if isinstance(constraints, dict) else {}, "group"),
    ):
        if isinstance(where.get(section), dict):
            where[section] = [where[section]]


def _sentence(error: ErrorDetails) -> str:
    # A part too many, where there is one, is pydantic's name for one of several types.
    path = [str(part) for part in error["loc"] if not isinstance(part, int)]
    path = path[: 3 if tuple(path[:2]) in _DEEPER else 2]
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
    sections: dict[str, type[BaseModel]] = {
        "": CampaignFile,
        "library": LibrarySection,
        "readout": ReadoutSection,
        "batch": BatchSection,
        "constraints": ConstraintsSection,
        "constraints.group": GroupSection,
        "retrain": RetrainSection,
        "prior": PriorSection,
    }
    section = sections.get(".".join(path[:-1]), CampaignFile)
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
