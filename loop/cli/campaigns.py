"""`init`, `campaigns`, `status`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loop.cli.output import Json, print_json, print_table, refusing

if TYPE_CHECKING:
    from loop.status import RoundLine

Name = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(init)
    app.command()(campaigns)
    app.command()(status)


@refusing
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file (TOML).")],
    json: Json = False,
) -> None:
    """Create a campaign from a campaign file."""
    from loop.initialize import initialize
    from loop.services import build

    made = initialize(build(origin="cli"), file)
    library = made.inputs.library
    if json:
        print_json(
            {
                "campaign": made.campaign,
                "perturbagens": len(library.perturbagens),
                "contexts": library.contexts,
                "orders": library.orders,
                "candidates": made.candidates,
                "coverage": made.coverage,
                "notes": made.notes,
            }
        )
        return
    name = made.campaign.name
    typer.echo(
        f"Campaign {name!r}: {len(library.perturbagens):,} perturbagens in "
        f"{len(library.contexts)} context(s) make {made.candidates:,} candidates."
    )
    if made.coverage is None:
        typer.echo("No embeddings: the surrogate knows perturbagens by identity alone.")
    else:
        for sentence in made.coverage.sentences():
            typer.echo(sentence)
    for note in made.notes:
        typer.echo(note)
    typer.echo(f"Next: pertloop propose {name}")


@refusing
def campaigns(json: Json = False) -> None:
    """List all campaigns."""
    from loop.services import build

    with build(origin="cli").storage.reading() as work:
        found = work.campaigns.all()
    if json:
        print_json(found)
        return
    print_table(
        ("campaign", "goal", "readout", "surrogate", "lab", "created"),
        (
            (c.name, c.goal.value, c.readout.name, c.surrogate.name, c.lab.adapter, c.created_at)
            for c in found
        ),
    )


@refusing
def status(name: Name, json: Json = False) -> None:
    """Say how a campaign stands, and what comes next."""
    from loop.services import build
    from loop.status import campaign_status

    found = campaign_status(build(origin="cli"), name)
    if json:
        print_json(found)
        return
    campaign = found.campaign
    typer.echo(
        f"{campaign.name}: {campaign.goal.value} on {campaign.readout.name}; "
        f"{found.tested} perturbations tested, {found.hits} hits, {found.pending} on their way."
    )
    print_table(
        (
            "round",
            "batch",
            "state",
            "size",
            "tested",
            "hits",
            "random",
            "best",
            "expected, came",
            "cover chosen",
            "audit",
        ),
        (
            (
                line.number,
                line.batch,
                line.state.value,
                line.perturbations,
                line.tested,
                line.hits,
                line.random_hits,
                line.best,
                _expected(line),
                None if line.scores is None else line.scores.selected_coverage90,
                None if line.scores is None else line.scores.audit_coverage90,
            )
            for line in found.rounds
        ),
    )
    if found.champion is not None:
        stale = (
            " It is stale: results it learned from were revised." if found.champion.stale else ""
        )
        typer.echo(f"Champion {found.champion.id[:12]}: {found.champion.verdict}{stale}")
    if found.rejected_rows:
        typer.echo(f"{found.rejected_rows} rejected rows; see: pertloop rejected {name}")
    for note in found.notes:
        typer.echo(note)
    held, told = found.forecasts_kept
    if told:
        typer.echo(f"Forecasts: {held} of {told} 90 % intervals held what came.")
    if found.outlook is not None:
        typer.echo(found.outlook)
    typer.echo(found.next_step)


def _expected(line: "RoundLine") -> str | None:
    """What was expected of a round, and what came, as far as it is known."""
    from loop.advice import against, span

    if line.came is not None:
        return against(line.came)
    return None if line.forecast is None else span(line.forecast)
