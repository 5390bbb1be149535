"""Use case: a campaign file becomes a campaign."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loop import plugins
from loop.campaign_file import CampaignFile, read_campaign
from loop.domain.campaign import BatchRules, Campaign, FirstBatch
from loop.domain.errors import (
    AlreadyExistsError,
    CampaignFileError,
    CampaignNotFoundError,
    NotEnoughCandidatesError,
)
from loop.domain.goal import Goal
from loop.domain.perturbation import Perturbation
from loop.encoding import LibraryIndex
from loop.feasible import check_first_batch, check_keys
from loop.inputs import Inputs, read_inputs
from loop.layout import check_capacity
from loop.ports.engine import ServesSomeGoals
from loop.provided import Services
from loop.representation import Coverage, coverage

_SEVERAL = (Goal.PARETO, Goal.REACH_STATE, Goal.LEARN_MAP)


@dataclass(frozen=True, slots=True)
class Initialized:
    """What `init` understood: the campaign, its inputs, and how many candidates they make.

    `coverage` says what the embeddings know of the library; None without any.
    """

    campaign: Campaign
    inputs: Inputs
    candidates: int
    coverage: Coverage | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before the first batch, in sentences."""
        campaign = self.campaign
        more = [each.name for each in campaign.readouts[1:]]
        if campaign.goal in _SEVERAL or not more:
            return self.inputs.notes
        told = (
            f"goal = {campaign.goal.value!r} is about readout {campaign.readout.name!r} alone; "
            f"{', '.join(map(repr, more))} will be predicted but not sought (a goal about several "
            "readouts is 'pareto' or 'reach-state')."
        )
        return (*self.inputs.notes, told)


def initialize(services: Services, path: Path) -> Initialized:
    """Check a campaign file and everything it names, store the inputs, create the campaign.

    Raises:
        InvalidError: If anything is wrong with the files; nothing is stored.
        LayoutError: If controls leave no room on a plate.
        PluginNotFoundError: If a plug-in is not installed.
        AlreadyExistsError: If the name is taken.
    """
    read = read_campaign(path)
    file = read.file
    _check_names(file)
    inputs = read_inputs(read.library, read.embeddings)
    ids = [each.id for each in inputs.library.perturbagens]
    covered = coverage(inputs.source, ids) if inputs.source.views else None
    index = LibraryIndex(inputs.library)
    space = index.space()
    candidates = space.on_offer()
    _check_not_empty(inputs, candidates)
    named = [*file.batch.reference, *([file.lab.positive_key] if file.lab.positive_key else [])]
    index.encode([Perturbation.parse(key) for key in named])
    # A plate holds no more contexts than the batch has perturbations, beside the control's.
    most = file.batch.size + bool(file.lab.positive)
    check_capacity(file.lab.rules(), min(len(inputs.library.contexts), most))
    campaign = _campaign(services, file, "", None)
    check_keys(campaign, index, space)
    check_first_batch(campaign, index, space)
    services.surrogate(campaign, inputs)
    services.lab(campaign)
    plugins.acquisition(campaign.acquisition.name).check(campaign.acquisition.settings)
    _check_goals(campaign)
    _check_free(services, campaign.name)
    library_hash = services.inputs.save(read.library)
    embeddings_hash = services.inputs.save(read.embeddings) if read.embeddings else None
    campaign = _campaign(services, file, library_hash, embeddings_hash)
    with services.storage.writing() as work:
        work.campaigns.add(campaign)
        work.log.append(
            campaign.name, services.entry("init", campaign.name, f"{candidates:,} candidates")
        )
        work.commit()
    return Initialized(campaign, inputs, candidates, covered)


def _check_names(file: CampaignFile) -> None:
    asked = [
        ("surrogates", file.surrogate.name),
        ("acquisitions", file.acquisition.name),
        ("lab_adapters", file.lab.adapter),
    ]
    if file.batch.explore:
        asked.append(("acquisitions", file.batch.explore_by))
    if file.batch.first is FirstBatch.SPACE_FILLING:
        asked.append(("acquisitions", file.batch.first.value))
    for kind, name in asked:
        plugins.check_name(kind, name)


def _check_goals(campaign: Campaign) -> None:
    """Refuse an acquisition that the goal would not let choose, before the first batch is paid."""
    asked = [("acquisition.name", campaign.acquisition.name, campaign.acquisition.settings)]
    if campaign.batch.explore:
        asked.append(("batch.explore_by", campaign.batch.explore_by, {}))
    for key, name, settings in asked:
        acquisition = plugins.acquisition(name)
        if not isinstance(acquisition, ServesSomeGoals):
            continue
        served = acquisition.served(settings)
        if campaign.goal not in served:
            listed = " and ".join(repr(goal.value) for goal in served) or "no goal with all parts"
            other = "'auto'" if key == "acquisition.name" else "'max-variance'"
            msg = (
                f"{key} = {name!r} does not serve goal {campaign.goal.value!r}, only {listed}; "
                f"choose {other}."
            )
            raise CampaignFileError(msg)


def _check_not_empty(inputs: Inputs, candidates: int) -> None:
    if candidates:
        return
    library = inputs.library
    ways = [
        *(["library.forbidden or constraints.exclusive"] if library.forbidden else []),
        *(["constraints.max_dose"] if library.ceilings else []),
        *(["library.allowed"] if library.allowed is not None else []),
    ]
    msg = (
        f"The library of {len(library.perturbagens)} perturbagens leaves no candidate at all: "
        f"everything is ruled out by {' and '.join(ways) or 'its orders'}; allow something."
    )
    raise NotEnoughCandidatesError(msg)


def _check_free(services: Services, name: str) -> None:
    with services.storage.reading() as work:
        try:
            work.campaigns.get(name)
        except CampaignNotFoundError:
            return
    msg = f"A campaign {name!r} exists already; choose another name in the campaign file."
    raise AlreadyExistsError(msg)


def _campaign(
    services: Services, file: CampaignFile, library_hash: str, embeddings_hash: str | None
) -> Campaign:
    return Campaign(
        name=file.name,
        goal=file.goal,
        seed=file.seed,
        readouts=tuple(section.readout() for section in file.readout),
        library_hash=library_hash,
        embeddings_hash=embeddings_hash,
        batch=_batch_rules(file),
        surrogate=file.surrogate.choice(),
        acquisition=file.acquisition.choice(),
        lab=file.lab.rules(),
        retrain=file.retrain_rules(),
        created_at=services.clock.now(),
        budget=file.budget,
    )


def _batch_rules(file: CampaignFile) -> BatchRules:
    rules = file.batch_rules()
    keys = _once(rules.constraints.must_include, "constraints.must_include", "perturbation")
    return replace(
        rules,
        reference=_once(rules.reference, "batch.reference", "reference design"),
        constraints=replace(rules.constraints, must_include=keys),
    )


def _once(written: Sequence[str], where: str, what: str) -> tuple[str, ...]:
    """Canonical keys of perturbations, each of which may be named once."""
    keys = tuple(Perturbation.parse(key).key for key in written)
    for key, times in Counter(keys).items():
        if times > 1:
            msg = f"{where} names {key!r} {times} times; name each {what} once."
            raise CampaignFileError(msg)
    return keys
