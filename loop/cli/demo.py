"""`demo`: a whole campaign, from nothing to a report."""

from typing import TYPE_CHECKING, Annotated

import typer

from loop.cli.output import Json, cell, print_json, refusing, working

if TYPE_CHECKING:
    from loop.demo import DemoRound
    from loop.initialize import Initialized

_HEAD = (
    f"{'round':>5}  {'chosen by':<10} {'wells':>6} {'hits':>5} {'random':>7} {'ratio':>6}  "
    f"{'90 % covers':>11}  adoption"
)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(demo)


@refusing
def demo(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 5,
    perturbagens: Annotated[int, typer.Option(min=16, max=300, help="Genes to pair.")] = 240,
    json: Json = False,
) -> None:
    """Run a campaign in the simulated lab: propose, plate, measure, ingest, learn, repeat."""
    from loop.demo import run_demo
    from loop.services import build

    services = build(origin="demo")
    with working("starting") as progress:
        done = run_demo(
            services,
            rounds,
            perturbagens,
            progress=progress,
            started=_ignore if json else _started,
            finished=_ignore if json else _finished,
        )
    if json:
        print_json(done)
        return
    last = done.rounds[-1]
    typer.echo(
        f"\n{last.hits} hits in {last.wells} wells; as many random wells would bring "
        f"{last.random_hits:.0f}. Report: {done.report}\n"
        f"Look around: pertloop status {done.campaign} · pertloop snapshots {done.campaign}"
    )


def _ignore(_: object) -> None:
    """Print nothing: the JSON document comes at the end."""


def _started(made: "Initialized") -> None:
    library = made.inputs.library
    typer.echo(
        f"Campaign {made.campaign.name!r}: {len(library.perturbagens)} genes make "
        f"{made.candidates:,} pairs; a hit lies at or outside "
        f"{made.campaign.readout.low:g} to {made.campaign.readout.high:g} "
        f"{made.campaign.readout.unit}.\n"
        "The lab is simulated: plates, edge effects, dead wells and noise included.\n\n" + _HEAD
    )


def _finished(line: "DemoRound") -> None:
    covered = None if line.scores is None else line.scores.coverage90
    share = "–" if covered is None else f"{covered:.0%}"
    typer.echo(
        f"{line.number:>5}  {line.chosen_by:<10} {line.wells:>6} {line.hits:>5} "
        f"{line.random_hits:>7.1f} {cell(line.hits / line.random_hits):>6}  {share:>11}  "
        f"{line.verdict}"
    )
