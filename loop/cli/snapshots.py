"""`retrain`, `snapshots`."""

from typing import Annotated

import typer

from loop.cli.campaigns import Name
from loop.cli.output import Json, print_json, print_table, refusing, working


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(retrain)
    app.command()(snapshots)


@refusing
def retrain(
    name: Name,
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Forget the champion's weights first.")
    ] = False,
    json: Json = False,
) -> None:
    """Learn from everything measured, and adopt the result if it is not worse."""
    from loop.retrain import retrain as learn
    from loop.services import build

    services = build(origin="cli")
    with working("learning") as progress:
        done = learn(services, name, scratch, progress)
    if json:
        print_json(done)
        return
    snapshot = done.snapshot
    if done.again:
        typer.echo(f"Nothing new to learn: snapshot {snapshot.id[:12]} has seen these data.")
    else:
        typer.echo(
            f"Snapshot {snapshot.id[:12]} learned from {snapshot.observations} observations; "
            f"{snapshot.verdict}"
        )
    typer.echo(f"Next: pertloop propose {name}")


@refusing
def snapshots(
    name: Name,
    adopt: Annotated[
        str | None, typer.Option("--adopt", metavar="ID", help="Make this one the champion.")
    ] = None,
    json: Json = False,
) -> None:
    """List a campaign's snapshots with their lineage, or adopt one."""
    from loop.retrain import adopt as make_champion
    from loop.services import build

    services = build(origin="cli")
    if adopt is not None:
        make_champion(services, name, adopt)
    with services.storage.reading() as work:
        work.campaigns.get(name)
        found = work.snapshots.of(name)
    if json:
        print_json(found)
        return
    print_table(
        ("no.", "id", "parent", "state", "stale", "learned from", "nll", "cover 90", "verdict"),
        (
            (
                s.number,
                s.id[:12],
                s.parent[:12] if s.parent else None,
                s.state.value,
                s.stale,
                s.observations,
                s.scores.get("nll"),
                s.scores.get("coverage90"),
                s.verdict,
            )
            for s in found
        ),
    )
