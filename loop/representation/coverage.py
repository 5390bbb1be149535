"""What representations know of a library, told before anything is spent on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import BoolArray, FloatArray
from loop.representation.near_duplicates import near_duplicates
from loop.representation.source import RepresentationSource

LEAST_COVERAGE = 0.1
"""Embeddings that cover less of a library are refused: they name their rows in another way."""
NEAR = 0.999
_FEW = 5


@dataclass(frozen=True, slots=True)
class ViewCoverage:
    """How much one view knows.

    Attributes:
        name: The view.
        width: Its columns.
        covered: How many of the library's perturbagens it knows.
        unknown: The first few that it does not know.
        constant: Columns that are the same for all that it knows.
        filled: Blanks in its file that were given their column's mean.
    """

    name: str
    width: int
    covered: int
    unknown: tuple[str, ...]
    constant: int
    filled: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a library is known.

    Attributes:
        origins: The files (or `morgan`).
        covered: How many perturbagens at least one view knows.
        total: Of how many.
        missing: Those that no view knows.
        dimensions: Columns of all views.
        views: Each view on its own.
        near_duplicates: Pairs of perturbagens with a cosine above 0.999, how many.
        duplicates: The first few of these pairs.
        notes: What else there is to know, in sentences.
    """

    origins: tuple[str, ...]
    covered: int
    total: int
    missing: tuple[str, ...]
    dimensions: int
    views: tuple[ViewCoverage, ...]
    near_duplicates: int
    duplicates: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """The report for a person."""
        told = [
            f"{', '.join(self.origins)} covers {self.covered} of {self.total} perturbagens in "
            f"{self.dimensions} dimensions{_listed('unknown', self.missing, len(self.missing))}."
        ]
        told += [_view_sentence(view, self.total) for view in self.views]
        if self.near_duplicates:
            pairs = [f"{a} and {b}" for a, b in self.duplicates]
            told.append(
                f"{_many(self.near_duplicates, 'pair')} of perturbagens all but the same to the "
                f"surrogate (cosine above {NEAR}){_listed('first', pairs, self.near_duplicates)}."
            )
        return (*told, *self.notes)


def _view_sentence(view: ViewCoverage, total: int) -> str:
    unknown = _listed("unknown", view.unknown, total - view.covered)
    constant = f"; {_many(view.constant, 'column')} never varying" if view.constant else ""
    filled = f"; {_many(view.filled, 'blank')} put at the column's mean" if view.filled else ""
    return (
        f"View {view.name} ({_many(view.width, 'column')}) covers {view.covered} of {total}"
        f"{unknown}{constant}{filled}."
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(what: str, names: Sequence[str], count: int) -> str:
    if not count:
        return ""
    more = f" and {count - _FEW} more" if count > _FEW else ""
    return f"; {what}: {', '.join(names[:_FEW])}{more}"


def coverage(source: RepresentationSource, ids: Sequence[str]) -> Coverage:
    """Report on a library's perturbagens; seconds for 20,000 of them in 544 columns.

    Raises:
        UnreadableFileError: If next to nothing is known, by all files or by one of them: its ids
            then follow another scheme.
    """
    vectors, views = source.joined(ids)
    _, known = source.rows(ids)
    for origin in dict.fromkeys(view.origin for view in source.views):
        own = [
            joined.known
            for joined, view in zip(views, source.views, strict=True)
            if view.origin == origin
        ]
        _check_ids(source, origin, ids, np.logical_or.reduce(own), 0.0)
    origins = tuple(dict.fromkeys(view.origin for view in source.views))
    _check_ids(source, origins[0], ids, known, LEAST_COVERAGE)
    at = np.cumsum([0, *(view.width for view in views)])
    rows = np.flatnonzero(known)
    pairs = near_duplicates(vectors[rows], NEAR, _FEW)
    return Coverage(
        origins,
        int(known.sum()),
        len(ids),
        tuple(np.asarray(ids)[~known].tolist()),
        vectors.shape[1],
        tuple(
            ViewCoverage(
                view.name,
                view.width,
                int(view.known.sum()),
                tuple(np.asarray(ids)[~view.known][:_FEW].tolist()),
                _constant(vectors[view.known, start : start + view.width]),
                table.filled,
            )
            for view, table, start in zip(views, source.views, at, strict=False)
        ),
        pairs.count,
        tuple((ids[rows[a]], ids[rows[b]]) for a, b in pairs.first),
        source.notes,
    )


def _constant(rows: FloatArray) -> int:
    return int((np.ptp(rows, axis=0) == 0).sum()) if len(rows) > 1 else 0


def _check_ids(
    source: RepresentationSource,
    origin: str,
    ids: Sequence[str],
    known: BoolArray,
    least: float,
) -> None:
    if known.any() and known.mean() >= least:
        return
    view = next(each for each in source.views if each.origin == origin)
    theirs = ", ".join(list(view.row_of)[:3])
    ours = ", ".join(np.asarray(ids)[~known][:3].tolist())
    msg = (
        f"{origin} covers {int(known.sum())} of {len(ids)} perturbagens: it calls its rows "
        f"{theirs}, the library {ours}; use the same ids in both, or leave embeddings out."
    )
    raise UnreadableFileError(msg)
