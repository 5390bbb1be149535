"""The commands, put together."""

from importlib.metadata import version
from typing import Annotated

import typer

from loop.cli import (
    batches,
    campaigns,
    database,
    datasets,
    demo,
    predict,
    replay,
    report,
    snapshots,
)

app = typer.Typer(
    name="pertloop",
    help="Choose the wells that are worth the money, get them made, learn from what returns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pertloop {version('pertloop')}")
        raise typer.Exit


@app.callback()
def pertloop(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """Active learning for perturbation screens, with the lab in the loop."""


for module in (demo, campaigns, batches, predict, snapshots, replay, report):
    module.register(app)
app.add_typer(datasets.app, name="datasets")
app.add_typer(database.app, name="db")
