"""From an entry of the catalogue to a replay that any strategy can be run against."""

import hashlib
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.decisions.catalogue import Entry
from loop.domain.errors import UnreadableFileError
from loop.ports.engine import Compute
from loop.prior import PriorTable, read_evidence
from loop.replay.campaign import Replay
from loop.replay.inputs import RepresentationFiles, open_representations, screen_representations
from loop.replay.question import ask
from loop.representation import MORGAN
from loop.screen import read_screen
from loop.tables import read_table


@dataclass(frozen=True, slots=True)
class Prepared:
    """A replay, and what is to be said of its screen."""

    replay: Replay
    notes: tuple[str, ...]


@lru_cache(maxsize=3)
def prepare(entry: Entry, data: Path, compute: Compute) -> Prepared:
    """Read the screen and its URs; a second or a few for the largest, kept for the next call.

    Raises:
        InvalidError: If a file is not as it should be.
    """
    screen = read_screen(read_table(data / entry.table), entry.columns)
    asked = ask(screen, entry.columns.readout, entry.goal, entry.threshold, entry.top)
    source = open_representations(_files(entry, data))
    representations, told = screen_representations(screen, source, None)
    tables = [PriorTable(read_table(data / table), readout) for table, readout in entry.prior]
    evidence = read_evidence(tables, entry.columns, screen.perturbagens)
    ready = Replay(screen, asked, representations, entry.plan, compute, evidence.screens)
    return Prepared(ready, (*screen.notes, *told, *evidence.notes))


def _files(entry: Entry, data: Path) -> RepresentationFiles:
    if entry.drugs is not None:
        return RepresentationFiles(library=data / entry.drugs, embeddings=(MORGAN,))
    named = () if entry.embeddings is None else (str(data / entry.embeddings),)
    return RepresentationFiles(embeddings=named)


def missing_files(entry: Entry, data: Path) -> tuple[str, ...]:
    """The files that it would read and that are not there."""
    return tuple(name for name in entry.files() if not (data / name).is_file())


def fingerprint(entry: Entry, data: Path) -> str:
    """A hash of the question and of every byte that it reads.

    Raises:
        UnreadableFileError: If a file cannot be read.
    """
    whole = hashlib.sha256(repr(sorted(asdict(entry).items())).encode())
    for name in entry.files():
        whole.update(_digest(data / name).encode())
    return whole.hexdigest()[:16]


@lru_cache(maxsize=64)
def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); check the folder given with --data."
        raise UnreadableFileError(msg) from error
