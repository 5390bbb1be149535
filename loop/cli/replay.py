"""`replay`: try strategies on an already measured screen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loop.cli.output import Json, print_json, print_table, refusing, working
from loop.domain.campaign import FirstBatch
from loop.domain.errors import CampaignFileError
from loop.domain.goal import Direction, Goal

if TYPE_CHECKING:
    from loop.replay.document import Outcome
    from loop.replay.run import Replayed
    from loop.screen import Columns

_SEVERAL = (Goal.PARETO, Goal.REACH_STATE)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(replay)


@refusing
def replay(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A measured table, CSV or .gz.")],
    perturbagens: Annotated[
        str, typer.Option(help="Columns of perturbagens, such as gene_a,gene_b.")
    ],
    readout: Annotated[
        str,
        typer.Option(help="The column that was measured; several for pareto and reach-state."),
    ],
    dose: Annotated[str, typer.Option(help="A dose column for each perturbagen column.")] = "",
    context: Annotated[str | None, typer.Option(help="The column of the context.")] = None,
    hit: Annotated[str | None, typer.Option(help="A column that is 1 for hits.")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="LOW,HIGH: hits lie at or outside; either may be blank.")
    ] = None,
    top: Annotated[float | None, typer.Option(help="Hits are this share of the table.")] = None,
    library: Annotated[
        Path | None, typer.Option(help="A table of perturbagens: id, then smiles, cost, ….")
    ] = None,
    embeddings: Annotated[
        list[str],
        typer.Option(help="URs: .npz, .parquet, .h5ad, .csv, or morgan; may be repeated."),
    ] = [],  # noqa: B006
    embedding_id: Annotated[
        str | None, typer.Option(help="The library's column of ids used in the embeddings.")
    ] = None,
    views: Annotated[str, typer.Option(help="Views to use, such as go,ppi.")] = "",
    contexts: Annotated[
        Path | None, typer.Option(help="Context URs, .npz, .parquet, .h5ad or .csv.")
    ] = None,
    prior: Annotated[
        list[Path], typer.Option(help="The table of an earlier screen; may be repeated.")
    ] = [],  # noqa: B006
    prior_readout: Annotated[
        list[str], typer.Option(help="The readout of each --prior, where it is not plain.")
    ] = [],  # noqa: B006
    goal: Annotated[Goal, typer.Option(help="What to look for.")] = Goal.FIND_HITS,
    direction: Annotated[
        str, typer.Option(help="Which way is better, up or down, for each readout (pareto).")
    ] = "",
    target: Annotated[
        str, typer.Option(help="The wanted value of each readout, such as 1.2,0.3 (reach-state).")
    ] = "",
    start: Annotated[int, typer.Option(min=1, help="First perturbations, by lot.")] = 128,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds after the first.")] = 5,
    batch: Annotated[int, typer.Option(min=1, help="Perturbations a round.")] = 128,
    audit: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a batch drawn by lot.")
    ] = 0.06,
    max_uses: Annotated[
        int, typer.Option(min=0, help="How often one perturbagen may occur in a batch; 0: ever.")
    ] = 0,
    first: Annotated[
        FirstBatch, typer.Option(help="How the first perturbations are chosen.")
    ] = FirstBatch.RANDOM,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0 to N - 1.")] = 1,
    surrogate: Annotated[
        list[str], typer.Option(help="A name, or name:key=value,key=value; may be repeated.")
    ] = ["auto"],  # noqa: B006
    acquisition: Annotated[
        list[str],
        typer.Option(help="Likewise, such as upper-confidence-bound:beta=0.5; may be repeated."),
    ] = ["auto"],  # noqa: B006
    plot: Annotated[Path | None, typer.Option(help="Draw the curves (.png, .svg, .pdf).")] = None,
    json: Json = False,
) -> None:
    """Run campaigns against a measured table, and count what each strategy would have found."""
    from loop.replay.campaign import Plan
    from loop.replay.inputs import RepresentationFiles
    from loop.replay.plot import check_drawable, plot_replay
    from loop.replay.question import Wanted
    from loop.replay.run import ReplayRequest
    from loop.replay.run import replay as run
    from loop.settings import read_settings

    if plot is not None:
        check_drawable(plot)
    request = ReplayRequest(
        table,
        _columns(perturbagens, readout, dose, context, hit, goal),
        goal,
        _limits(threshold),
        top,
        RepresentationFiles(library, tuple(embeddings), embedding_id, _words(views), contexts),
        tuple(prior),
        tuple(prior_readout),
        Plan(start, rounds, batch, audit, max_uses, first),
        seeds,
        tuple(surrogate),
        tuple(acquisition),
        Wanted(_directions(direction), _numbers("--target", target)),
    )
    with working("replaying") as progress:
        done = run(request, read_settings().compute, progress)
    if plot is not None:
        plot_replay(done, plot)
    if json:
        print_json(done.document)
        return
    _show(done, goal, plot)


def _columns(
    perturbagens: str, readout: str, dose: str, context: str | None, hit: str | None, goal: Goal
) -> "Columns":
    from loop.screen import Columns

    # A single readout may have a comma in its name.
    names = _words(readout) if goal in _SEVERAL else (readout,)
    if not names:
        msg = "--readout names no column; name one or more, such as kill,toxicity."
        raise CampaignFileError(msg)
    return Columns(_words(perturbagens), names[0], _words(dose), context, hit, names[1:])


def _directions(text: str) -> tuple[Direction, ...]:
    try:
        return tuple(Direction(word) for word in _words(text))
    except ValueError:
        msg = f"--direction {text!r} must be up, down or both for each readout, such as up,down."
        raise CampaignFileError(msg) from None


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in _words(text))
    except ValueError:
        msg = f"{option} {text!r} must be a number for each readout, such as 1.2,0.3."
        raise CampaignFileError(msg) from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _limits(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, comma, high = text.partition(",")
    try:
        if comma:
            return float(low or "-inf"), float(high or "inf")
    except ValueError:
        pass
    msg = f"--threshold {text!r} must be LOW,HIGH, such as '-1.966,1.818' or ',30'."
    raise CampaignFileError(msg)


def _show(done: "Replayed", goal: Goal, plot: Path | None) -> None:
    for note in done.notes:
        typer.echo(note, err=True)
    shown = _FIGURES[goal]
    print_table(
        ("surrogate", "acquisition", "seeds", "wells", *(title for title, _ in shown)),
        (_line(outcome, [name for _, name in shown]) for outcome in done.outcomes),
    )
    if plot is not None:
        typer.echo(f"Curves: {plot}")


def _line(outcome: "Outcome", figures: list[str]) -> list[object]:
    told = outcome.summary
    values = [getattr(told, name) for name in figures]
    return [*outcome.strategy.label, len(outcome.runs), told.wells, *values]


_COVERED = (("forecasts held", "forecast_coverage90"), ("cover 90", "coverage90_mean"))
_HITS = (
    ("hits", "hits_mean"),
    ("± sd", "hits_sd"),
    ("x random", "ratio_to_random"),
    ("low", "hits_low_mean"),
    ("high", "hits_high_mean"),
)
_EXTREME = (("best", "best_mean"), ("regret", "regret_mean"), ("top 100", "top100_mean"))
_MAP = (("rmse", "rmse_mean"), ("spearman", "spearman_mean"), ("nll", "nll_mean"))
_FIGURES: dict[Goal, tuple[tuple[str, str], ...]] = {
    Goal.FIND_HITS: (*_HITS, ("best", "best_mean"), *_COVERED),
    Goal.MAXIMIZE: (*_EXTREME, ("hits", "hits_mean"), *_COVERED),
    Goal.MINIMIZE: (*_EXTREME, ("hits", "hits_mean"), *_COVERED),
    Goal.LEARN_MAP: (*_MAP, ("hits", "hits_mean"), ("cover 90", "coverage90_mean")),
    Goal.PARETO: (("front, share", "hypervolume_mean"), ("cover 90", "coverage90_mean")),
    Goal.REACH_STATE: (
        ("nearest", "distance_mean"),
        ("top 100", "top100_mean"),
        ("cover 90", "coverage90_mean"),
    ),
}
"""What is shown of each goal: a title, and a field of `Summary`."""
