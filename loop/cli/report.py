"""`report`: one HTML page about a campaign."""

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.campaigns import Name
from loop.cli.output import Json, print_json, refusing


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(report)


@refusing
def report(
    name: Name,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page.")] = Path("report.html"),
    json: Json = False,
) -> None:
    """Write one self-contained HTML page with progress, calibration and plate maps."""
    from loop.report.write import write_report
    from loop.services import build

    path = write_report(build(origin="cli"), name, output)
    print_json({"report": path}) if json else typer.echo(f"Report: {path}")
