"""`init`, `campaigns`, `status`, `predict`."""

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.output import Json, cell, print_json, print_table, refusing

Name = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(init)
    app.command()(campaigns)
    app.command()(status)
    app.command()(predict)


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
                "coverage": made.inputs.coverage,
            }
        )
        return
    name = made.campaign.name
    typer.echo(
        f"Campaign {name!r}: {len(library.perturbagens):,} perturbagens in "
        f"{len(library.contexts)} context(s) make {made.candidates:,} candidates."
    )
    covered = made.inputs.coverage
    if covered is None:
        typer.echo("No embeddings: the surrogate knows perturbagens by identity alone.")
    else:
        missing = f"; unknown: {', '.join(covered.missing[:5])}" if covered.missing else ""
        more = f" and {len(covered.missing) - 5} more" if len(covered.missing) > 5 else ""
        typer.echo(
            f"Embeddings cover {covered.covered:,} of {covered.total:,} perturbagens in "
            f"{covered.dimensions} dimensions{missing}{more}."
        )
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
        ("round", "batch", "state", "size", "tested", "hits", "random", "best", "cover 90"),
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
                None if line.scores is None else line.scores.coverage90,
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
    typer.echo(found.next_step)


@refusing
def predict(
    name: Name,
    perturbations: Annotated[
        list[str], typer.Argument(metavar="PERTURBATION...", help="Keys, such as 'A+B|K562'.")
    ],
    json: Json = False,
) -> None:
    """Predict perturbations, measured or not: a virtual experiment."""
    from loop.predict import predict as ask
    from loop.services import build

    found = ask(build(origin="cli"), name, perturbations)
    if json:
        print_json(found)
        return
    for each in found:
        typer.echo(each.perturbation.key)
        for readout, belief in each.belief.items():
            typer.echo(
                f"  {readout}: {belief.mean:.3g}, one well lies in {belief.low:.3g} to "
                f"{belief.high:.3g} with 90 % (doubt {belief.epistemic_sd:.2g}, "
                f"noise {belief.aleatoric_sd:.2g})"
            )
        if each.measured is not None:
            typer.echo(f"  measured: {each.measured:.3g}")
        parts = [f"{part} {value:+.3g}" for part, value in each.contributions.items()]
        if each.interaction is not None:
            parts.append(f"interaction {each.interaction:+.3g}")
        if parts:
            typer.echo(f"  made of: {', '.join(parts)}")
        for evidence in each.evidence:
            typer.echo(f"  nearest evidence: {evidence.key} = {cell(evidence.value)}")
