"""The command line as a person or a program meets it, in a home of its own."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from loop.cli.app import app

SQLITE_FILE = "pertloop.db"
_LIVE = (f"{SQLITE_FILE}-wal", f"{SQLITE_FILE}-shm")


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """`pertloop` with PERTLOOP_HOME at `home`."""

    home: Path
    environment: Mapping[str, str] | None = None

    def run(self, *words: object) -> Said:
        """Run a command; an error that no sentence was found for is raised as it is."""
        settings = {
            "PERTLOOP_HOME": str(self.home),
            "PERTLOOP_THREADS": "1",
            "PERTLOOP_USER": "ada",
            "PERTLOOP_DATABASE_URL": None,
            "COLUMNS": "200",
            **(self.environment or {}),
        }
        done = CliRunner().invoke(app, [str(word) for word in words], env=settings)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(done.exit_code, done.stdout, done.stderr)

    def text(self, *words: object) -> str:
        """What a command that must succeed prints for a person."""
        said = self.run(*words)
        assert said.code == 0, said
        return said.out

    def document(self, *words: object) -> Any:
        """The one JSON document that a command which must succeed prints, and nothing else."""
        said = self.run(*words, "--json")
        assert said.code == 0, said
        assert not said.err, "progress is for a terminal only"
        return json.loads(said.out)

    def refusal(self, *words: object) -> str:
        """The one sentence with which a command says no; nothing in the home has changed.

        The same with `--json` prints one document that holds the sentence.
        """
        before = self.contents()
        said = self.run(*words)
        again = self.run(*words, "--json")

        assert self.contents() == before
        assert (said.code, again.code) == (1, 1), said
        assert said.out == ""
        assert said.err == again.err
        assert said.err.startswith("pertloop: ")
        assert said.err.count("\n") == 1, said.err
        assert said.err.endswith((".\n", "?\n")), said.err
        sentence = said.err.removeprefix("pertloop: ").strip()
        assert json.loads(again.out)["error"]["sentence"] == sentence
        return sentence

    def contents(self) -> dict[str, str]:
        """Every file of the home by name, with a digest; the database by its rows."""
        found = {}
        for path in sorted(self.home.rglob("*")):
            name = path.relative_to(self.home).as_posix()
            if path.is_dir() or name in _LIVE:
                continue
            content = path.read_bytes()
            if name == SQLITE_FILE and content.startswith(b"SQLite format 3"):
                content = "\n".join(rows(path)).encode()
            found[name] = hashlib.sha256(content).hexdigest()
        return found


def rows(database: Path) -> list[str]:
    """Every row of an SQLite file as SQL."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
