"""What a command prints: tables for people, one JSON document for programs, one sentence for no."""

import errno
import functools
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from loop.domain.errors import LoopError, StorageFullError, UnavailableError
from loop.domain.perturbation import Perturbation
from loop.ports.engine import Progress

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on stdout.")
]

_SHORT = 40
_WIDE = 160

P = ParamSpec("P")
R = TypeVar("R")


def refusing(command: Callable[P, R]) -> Callable[P, R]:
    """A command that says no in one sentence on stderr and exits with 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except LoopError as error:
            _refuse(error, bool(kwargs.get("json")))
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Whoever read our output has had enough; click ends quietly.
                raise
            _refuse(_of_the_disk(error), bool(kwargs.get("json")))
        raise typer.Exit(1)

    return wrapped


def _of_the_disk(error: OSError) -> LoopError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError("The disk is full; free some space and try again.")
    where = f"{str(error.filename)!r} cannot be used" if error.filename else "The system says no"
    return UnavailableError(f"{where}: {(error.strerror or str(error)).lower()}.")


def _refuse(error: LoopError, as_json: bool) -> None:
    # A file's name may hold line breaks; a sentence may not.
    sentence = " ".join(str(error).split())
    if as_json:
        print_json({"error": {"kind": type(error).__name__, "sentence": sentence}})
    typer.echo(f"pertloop: {sentence}", err=True)


def print_json(thing: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(plain(thing), indent=1, ensure_ascii=False) + "\n")


def plain(thing: object) -> object:  # noqa: PLR0911 (one answer a kind)
    """Anything of ours as JSON: numbers that are not finite become null."""
    if isinstance(thing, Enum):
        return thing.value
    if isinstance(thing, Perturbation):
        return thing.key
    if isinstance(thing, float):
        return thing if math.isfinite(thing) else None
    if thing is None or isinstance(thing, str | int | bool):
        return thing
    if isinstance(thing, datetime):
        return thing.isoformat()
    if isinstance(thing, Path):
        return str(thing)
    if is_dataclass(thing):
        return {field.name: plain(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, Iterable):
        return [plain(each) for each in thing]
    msg = f"{type(thing).__name__} has no JSON form"
    raise TypeError(msg)


def write_text(path: Path, text: str) -> None:
    """Write a file that a person asked for: whole, or not at all."""
    part = path.with_name(path.name + ".partial")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        error.filename = str(path)
        raise


def print_table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table for a person; short cells stay on one line, long ones are folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[cell(each) for each in row] for row in rows]
    table = Table(header_style="bold", box=None)
    for at, column in enumerate(columns):
        short = all(len(row[at]) <= _SHORT for row in cells)
        table.add_column(column, overflow="fold", no_wrap=short)
    for row in cells:
        # As text: in a name such as benzo[a]pyrene the brackets are no markup.
        table.add_row(*map(Text, row))
    console = Console()
    Console(width=console.width if console.is_terminal else _WIDE, highlight=False).print(table)


def cell(thing: object) -> str:
    """One cell of a table."""
    if thing is None:
        return "–"
    if isinstance(thing, bool):
        return "yes" if thing else "no"
    if isinstance(thing, float):
        return f"{thing:.3g}"
    if isinstance(thing, datetime):
        return thing.strftime("%Y-%m-%d %H:%M")
    return str(thing)


@contextmanager
def working(what: str) -> Iterator[Progress]:
    """A progress bar on stderr where a person is watching; silent otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=1.0)

        def tell(share: float, doing: str) -> None:
            bar.update(task, completed=share, description=doing)

        yield tell
