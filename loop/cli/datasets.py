"""`datasets list`, `datasets fetch`: public screens to replay."""

from typing import Annotated

import typer

from loop.cli.output import Json, print_json, print_table, refusing, working

app = typer.Typer(help="Public screens that a replay can use.", no_args_is_help=True)


@app.command("list")
@refusing
def list_datasets(json: Json = False) -> None:
    """List the public screens that can be fetched, with their licences."""
    from loop.datasets import registry

    known = registry()
    if json:
        print_json(known)
        return
    print_table(
        ("name", "what", "licence", "size"),
        ((d.name, d.what, d.licence, d.bytes) for d in known),
    )


@app.command("fetch")
@refusing
def fetch_dataset(name: Annotated[str, typer.Argument(metavar="NAME")], json: Json = False) -> None:
    """Download a public screen into PERTLOOP_HOME, verified by its checksum."""
    from loop.datasets import fetch, registry
    from loop.settings import read_settings

    with working("downloading") as progress:
        path = fetch(name, read_settings().home / "datasets", progress)
    entry = next(each for each in registry() if each.name == name)
    if json:
        print_json({"path": path, "dataset": entry})
        return
    typer.echo(f"{path}\nLicence: {entry.licence}\nCite: {entry.citation}")
    typer.echo(f"Try: {entry.replay_command(path)}")
