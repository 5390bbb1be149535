"""Use case: replay strategies against a measured table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product, zip_longest
from pathlib import Path

import numpy as np

from loop import plugins
from loop.domain.errors import CampaignFileError, NotEnoughCandidatesError
from loop.domain.goal import Goal
from loop.ports.engine import Compute, Progress, silent
from loop.prior import Evidence, PriorTable, read_evidence
from loop.replay.campaign import Plan, Replay, Strategy
from loop.replay.document import Outcome, document, expectation, summarize
from loop.replay.inputs import RepresentationFiles, open_representations, screen_representations
from loop.replay.question import NOTHING_WANTED, Wanted, ask
from loop.replay.spec import parse_plugin
from loop.screen import Columns, Screen, read_screen
from loop.tables import read_table


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """All that a person may ask of a replay; seeds are 0 to `seeds` - 1.

    `surrogates` and `acquisitions` are names, or `name:key=value,key=value`.

    `priors` are tables of earlier screens, `prior_readouts` their readouts in the same order, as
    far as they are given.
    """

    table: Path
    columns: Columns
    goal: Goal = Goal.FIND_HITS
    threshold: tuple[float, float] | None = None
    top: float | None = None
    representations: RepresentationFiles = field(default_factory=RepresentationFiles)
    priors: tuple[Path, ...] = ()
    prior_readouts: tuple[str, ...] = ()
    plan: Plan = field(default_factory=Plan)
    seeds: int = 1
    surrogates: tuple[str, ...] = ("auto",)
    acquisitions: tuple[str, ...] = ("auto",)
    wanted: Wanted = NOTHING_WANTED


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it, and the same as the JSON document."""

    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    document: dict[str, object]


def replay(request: ReplayRequest, compute: Compute, progress: Progress = silent) -> Replayed:
    """Run every surrogate with every acquisition, on every seed, against a measured table.

    Raises:
        InvalidError: If the table, a file or an option is wrong.
        NotEnoughCandidatesError: If the table has fewer perturbations than the plan spends.
        PluginNotFoundError: If a surrogate or acquisition is not installed.
    """
    strategies = _strategies(request)
    screen = read_screen(read_table(request.table), request.columns)
    asked = ask(
        screen,
        request.columns.readout,
        request.goal,
        request.threshold,
        request.top,
        request.columns.more_readouts,
        request.wanted,
    )
    _check_size(screen, request.plan)
    source = open_representations(request.representations)
    representations, known = screen_representations(
        screen, source, request.representations.contexts
    )
    evidence = _evidence(request, screen)
    notes = [*screen.notes, *known, *evidence.notes]
    prepared = Replay(screen, asked, representations, request.plan, compute, evidence.screens)
    random = expectation(prepared, request.plan)
    total = len(strategies) * request.seeds
    outcomes = []
    for at, strategy in enumerate(strategies):
        runs = []
        for seed in range(request.seeds):
            told = _told(progress, (at * request.seeds + seed) / total, 1 / total, strategy)
            runs.append(prepared.run(strategy, seed, told))
        outcomes.append(Outcome(strategy, tuple(runs), summarize(runs, random)))
    settings = _settings(request, screen, compute, asked.readout.low, asked.readout.high, notes)
    return Replayed(tuple(outcomes), tuple(notes), document(settings, outcomes, random))


def _strategies(request: ReplayRequest) -> list[Strategy]:
    """Every surrogate with every acquisition, named rightly and with settings that they know."""
    surrogates = [parse_plugin(text) for text in request.surrogates]
    acquisitions = [parse_plugin(text) for text in request.acquisitions]
    for surrogate in surrogates:
        plugins.check_name("surrogates", surrogate.name)
    for acquisition in acquisitions:
        plugins.check_name("acquisitions", acquisition.name)
        if acquisition.settings:
            plugins.acquisition(acquisition.name).check(acquisition.settings)
    return [
        Strategy(surrogate.name, acquisition.name, surrogate.settings, acquisition.settings)
        for surrogate, acquisition in product(surrogates, acquisitions)
    ]


def _evidence(request: ReplayRequest, screen: Screen) -> Evidence:
    if len(request.prior_readouts) > len(request.priors):
        msg = (
            f"--prior-readout is given {len(request.prior_readouts)} times but --prior "
            f"{len(request.priors)}; name one readout for each prior table."
        )
        raise CampaignFileError(msg)
    for path in request.priors:
        if path.resolve() == request.table.resolve():
            msg = (
                f"--prior {path} is the table that is replayed, so it would tell its own answers; "
                "name the table of another screen."
            )
            raise CampaignFileError(msg)
    tables = [
        PriorTable(read_table(path), readout)
        for path, readout in zip_longest(request.priors, request.prior_readouts)
    ]
    return read_evidence(tables, request.columns, screen.perturbagens)


def _told(progress: Progress, start: float, width: float, strategy: Strategy) -> Progress:
    def tell(share: float, doing: str) -> None:
        progress(start + width * share, f"{' / '.join(strategy.label)}, {doing}")

    return tell


def _check_size(screen: Screen, plan: Plan) -> None:
    needed, there = plan.start + plan.rounds * plan.batch, len(screen.values)
    if needed > there:
        msg = (
            f"{plan.start} first wells and {plan.rounds} rounds of {plan.batch} need {needed} "
            f"perturbations, the table has {there}; lower --start, --rounds or --batch."
        )
        raise NotEnoughCandidatesError(msg)


def _settings(
    request: ReplayRequest,
    screen: Screen,
    compute: Compute,
    low: float,
    high: float,
    notes: Sequence[str],
) -> dict[str, object]:
    columns, files = asdict(request.columns), request.representations
    return {
        "table": str(request.table),
        **columns,
        "goal": request.goal.value,
        "threshold": [low if np.isfinite(low) else None, high if np.isfinite(high) else None],
        "library": None if files.library is None else str(files.library),
        "embeddings": list(files.embeddings),
        "embedding_id": files.embedding_id,
        "views": list(files.views),
        "contexts": None if files.contexts is None else str(files.contexts),
        "prior": [str(path) for path in request.priors],
        "directions": [each.value for each in request.wanted.directions],
        "targets": list(request.wanted.targets),
        **asdict(request.plan),
        "seeds": list(range(request.seeds)),
        "candidates": len(screen.values),
        "perturbagens_in_table": len(screen.perturbagens),
        "device": compute.device,
        "dtype": compute.dtype,
        "notes": list(notes),
    }
