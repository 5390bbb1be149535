"""`db upgrade|backup|restore|check`."""

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.output import Json, print_json, refusing

app = typer.Typer(help="Upgrade, back up, restore and check the database.", no_args_is_help=True)


@app.command()
@refusing
def upgrade(json: Json = False) -> None:
    """Bring the database to this version of Pertloop."""
    from loop.settings import read_settings
    from loop.store.schema import upgrade as bring

    told = bring(read_settings().url)
    print_json({"upgrade": told}) if json else typer.echo(told)


@app.command()
@refusing
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write, .tar.gz.")],
    json: Json = False,
) -> None:
    """Write database, inputs, snapshots and artefacts into one file."""
    from loop.settings import read_settings
    from loop.store.backup import backup as write

    settings = read_settings()
    write(settings.home, settings.url, file)
    print_json({"backup": file}) if json else typer.echo(f"Backup written to {file}.")


@app.command()
@refusing
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that backup wrote.")],
    json: Json = False,
) -> None:
    """Restore a backup into an empty PERTLOOP_HOME."""
    from loop.settings import read_settings
    from loop.store.backup import restore as read

    settings = read_settings()
    read(file, settings.home, settings.url)
    home = settings.home
    print_json({"restored": file}) if json else typer.echo(f"{file} restored into {home}.")


@app.command()
@refusing
def check(json: Json = False) -> None:
    """Check that the database is whole and every file it names is there."""
    from loop.settings import read_settings
    from loop.store.backup import check as look

    settings = read_settings()
    findings = look(settings.home, settings.url)
    if json:
        print_json({"findings": findings})
    else:
        typer.echo("\n".join(findings) or "Everything is in order.")
    if findings:
        raise typer.Exit(1)
