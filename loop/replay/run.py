"""Use case: replay strategies against a measured table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from loop import plugins
from loop.domain.errors import NotEnoughCandidatesError, UnreadableFileError
from loop.domain.goal import Goal
from loop.embeddings import align, coverage, parse_embeddings
from loop.inputs import read_contexts
from loop.ports.arrays import FloatArray, Representations
from loop.ports.engine import Compute, Progress, silent
from loop.replay.campaign import Plan, Replay, Strategy
from loop.replay.document import Outcome, document, expectation, summarize
from loop.replay.question import ask
from loop.replay.screen import Columns, Screen, read_screen
from loop.tables import read_bytes, read_table


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """All that a person may ask of a replay; seeds are 0 to `seeds` - 1."""

    table: Path
    columns: Columns
    goal: Goal = Goal.FIND_HITS
    threshold: tuple[float, float] | None = None
    top: float | None = None
    embeddings: Path | None = None
    views: tuple[str, ...] = ()
    contexts: Path | None = None
    plan: Plan = field(default_factory=Plan)
    seeds: int = 1
    surrogates: tuple[str, ...] = ("ensemble",)
    acquisitions: tuple[str, ...] = ("auto",)


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
    for name in request.surrogates:
        plugins.check_name("surrogates", name)
    for name in request.acquisitions:
        plugins.check_name("acquisitions", name)
    screen = read_screen(read_table(request.table), request.columns)
    asked = ask(screen, request.columns.readout, request.goal, request.threshold, request.top)
    _check_size(screen, request.plan)
    notes = list(screen.notes)
    representations = _representations(screen, request, notes)
    prepared = Replay(screen, asked, representations, request.plan, compute)
    random = expectation(prepared, request.plan)
    strategies = [
        Strategy(surrogate, acquisition, {}, {})
        for surrogate, acquisition in product(request.surrogates, request.acquisitions)
    ]
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


def _told(progress: Progress, start: float, width: float, strategy: Strategy) -> Progress:
    def tell(share: float, doing: str) -> None:
        progress(start + width * share, f"{strategy.surrogate} / {strategy.acquisition}, {doing}")

    return tell


def _check_size(screen: Screen, plan: Plan) -> None:
    needed, there = plan.start + plan.rounds * plan.batch, len(screen.values)
    if needed > there:
        msg = (
            f"{plan.start} first wells and {plan.rounds} rounds of {plan.batch} need {needed} "
            f"perturbations, the table has {there}; lower --start, --rounds or --batch."
        )
        raise NotEnoughCandidatesError(msg)


def _representations(screen: Screen, request: ReplayRequest, notes: list[str]) -> Representations:
    ids = screen.perturbagens
    vectors, known = np.zeros((len(ids), 0)), np.zeros(len(ids), dtype=np.bool_)
    if request.embeddings is not None:
        name = str(request.embeddings)
        table = parse_embeddings(read_bytes(request.embeddings), name, request.views)
        covered = coverage(table, ids, name)
        notes.append(
            f"{name} covers {covered.covered} of {covered.total} perturbagens "
            f"({covered.dimensions} dimensions: {', '.join(covered.views)})."
        )
        vectors, known = align(table, ids)
    return Representations(vectors, known, _contexts(screen, request.contexts), screen.doses)


def _contexts(screen: Screen, path: Path | None) -> FloatArray:
    if path is None:
        return np.eye(len(screen.contexts))
    names, vectors = read_contexts(read_bytes(path), str(path))
    row_of = {name: row for row, name in enumerate(names)}
    if not any(name in row_of for name in screen.contexts):
        msg = f"{path} covers none of the table's contexts, such as {screen.contexts[0]!r}."
        raise UnreadableFileError(msg)
    rows = [vectors[row_of[n]] if n in row_of else 0 * vectors[0] for n in screen.contexts]
    # Identity beside the UR: a context without one still has a vector of its own.
    return np.concatenate([np.asarray(rows), np.eye(len(rows))], axis=1)


def _settings(
    request: ReplayRequest,
    screen: Screen,
    compute: Compute,
    low: float,
    high: float,
    notes: Sequence[str],
) -> dict[str, object]:
    columns = asdict(request.columns)
    return {
        "table": str(request.table),
        **columns,
        "goal": request.goal.value,
        "threshold": [low if np.isfinite(low) else None, high if np.isfinite(high) else None],
        "embeddings": None if request.embeddings is None else str(request.embeddings),
        "views": list(request.views),
        "contexts": None if request.contexts is None else str(request.contexts),
        **asdict(request.plan),
        "seeds": list(range(request.seeds)),
        "candidates": len(screen.values),
        "perturbagens_in_table": len(screen.perturbagens),
        "device": compute.device,
        "dtype": compute.dtype,
        "notes": list(notes),
    }
