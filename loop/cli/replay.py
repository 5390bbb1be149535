"""`replay`: try strategies on an already measured screen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loop.cli.output import Json, print_json, print_table, refusing, working
from loop.domain.errors import CampaignFileError
from loop.domain.goal import Goal

if TYPE_CHECKING:
    from loop.replay.run import Replayed


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(replay)


@refusing
def replay(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A measured table, CSV or .gz.")],
    perturbagens: Annotated[
        str, typer.Option(help="Columns of perturbagens, such as gene_a,gene_b.")
    ],
    readout: Annotated[str, typer.Option(help="The column that was measured.")],
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
    start: Annotated[int, typer.Option(min=1, help="First perturbations, by lot.")] = 128,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds after the first.")] = 5,
    batch: Annotated[int, typer.Option(min=1, help="Perturbations a round.")] = 128,
    audit: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a batch drawn by lot.")
    ] = 0.06,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0 to N - 1.")] = 1,
    surrogate: Annotated[list[str], typer.Option(help="May be repeated.")] = ["auto"],  # noqa: B006
    acquisition: Annotated[list[str], typer.Option(help="May be repeated.")] = ["auto"],  # noqa: B006
    plot: Annotated[Path | None, typer.Option(help="Draw the curves (.png, .svg, .pdf).")] = None,
    json: Json = False,
) -> None:
    """Run campaigns against a measured table, and count what each strategy would have found."""
    from loop.replay.campaign import Plan
    from loop.replay.inputs import RepresentationFiles
    from loop.replay.plot import check_drawable, plot_replay
    from loop.replay.run import ReplayRequest
    from loop.replay.run import replay as run
    from loop.screen import Columns
    from loop.settings import read_settings

    if plot is not None:
        check_drawable(plot)
    request = ReplayRequest(
        table,
        Columns(_words(perturbagens), readout, _words(dose), context, hit),
        goal,
        _limits(threshold),
        top,
        RepresentationFiles(library, tuple(embeddings), embedding_id, _words(views), contexts),
        tuple(prior),
        tuple(prior_readout),
        Plan(start, rounds, batch, audit),
        seeds,
        tuple(surrogate),
        tuple(acquisition),
    )
    with working("replaying") as progress:
        done = run(request, read_settings().compute, progress)
    if plot is not None:
        plot_replay(done, plot)
    if json:
        print_json(done.document)
        return
    _show(done, plot)


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


def _show(done: "Replayed", plot: Path | None) -> None:
    for note in done.notes:
        typer.echo(note, err=True)
    print_table(
        (
            "surrogate",
            "acquisition",
            "seeds",
            "wells",
            "hits",
            "± sd",
            "x random",
            "best",
            "cover 90",
        ),
        (
            (
                o.strategy.surrogate,
                o.strategy.acquisition,
                len(o.runs),
                o.summary.wells,
                o.summary.hits_mean,
                o.summary.hits_sd,
                o.summary.ratio_to_random,
                o.summary.best_mean,
                o.summary.coverage90_mean,
            )
            for o in done.outcomes
        ),
    )
    if plot is not None:
        typer.echo(f"Curves: {plot}")
