"""Where URs of perturbagens come from: several files and structures, joined view by view."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from loop.domain.errors import CampaignFileError, UnreadableFileError
from loop.domain.nearest import did_you_mean
from loop.ports.arrays import BoolArray, FloatArray, Representations, View
from loop.representation.compounds import MORGAN, read_compounds
from loop.representation.reading import read_views
from loop.representation.view import TableView

_SMILES = "smiles"
Attributes = Mapping[str, Mapping[str, str]]
"""What a library says of each perturbagen, by id: further columns, by name."""


@dataclass(frozen=True, slots=True)
class RepresentationSource:
    """Vectors for any ids, always in the same columns; without views, of no columns at all."""

    views: tuple[TableView, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self, ids: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """Vectors of N ids, shape (N, d), zeros where unknown; and which any view knows, (N,)."""
        vectors, views = self.joined(ids)
        known = np.zeros(len(ids), dtype=np.bool_)
        for view in views:
            known |= view.known
        return vectors, known

    def joined(self, ids: Sequence[str]) -> tuple[FloatArray, tuple[View, ...]]:
        """Vectors of N ids, shape (N, d), and the views whose columns stand side by side."""
        wanted = tuple(ids)
        blocks, views = [np.zeros((len(wanted), 0))], []
        for view in self.views:
            vectors, known = view.rows(wanted)
            blocks.append(vectors)
            views.append(View(view.name, view.width, known))
        return np.concatenate(blocks, axis=1), tuple(views)


def open_source(
    files: Sequence[tuple[str, bytes | None]],
    attributes: Attributes,
    picked: Sequence[str] = (),
    embedding_id: str | None = None,
) -> RepresentationSource:
    """Join files, each a name and its bytes; `morgan` needs no bytes but a column `smiles`.

    `picked` names the views to use, all by default; `embedding_id` the column of the library that
    holds the ids by which the files call its perturbagens.

    Raises:
        UnreadableFileError: If a file cannot be read or there is no view of that name.
        CampaignFileError: If the library lacks a column that is needed.
        UnavailableError: If a library that reads a file is not installed.
    """
    called = _column(attributes, embedding_id) if embedding_id else {}
    views: list[TableView] = []
    notes: list[str] = []
    for name, content in files:
        if content is None:
            compounds = read_compounds(_smiles(attributes))
            views += compounds.views
            notes += compounds.notes
        else:
            views += [replace(view, called=called) for view in read_views(content, name)]
    return RepresentationSource(_picked(_named_apart(views), picked), tuple(notes))


def represent(
    source: RepresentationSource, ids: Sequence[str], contexts: FloatArray, doses: FloatArray
) -> Representations:
    """What a surrogate is given of P perturbagens, C contexts (C, c) and dose levels (P, L)."""
    vectors, views = source.joined(ids)
    known = np.zeros(len(ids), dtype=np.bool_)
    for view in views:
        known |= view.known
    return Representations(vectors, known, contexts, doses, views)


def _smiles(attributes: Attributes) -> dict[str, str]:
    columns = {column for each in attributes.values() for column in each}
    column = next((each for each in sorted(columns) if each.lower() == _SMILES), None)
    if column is None:
        msg = (
            f"Embeddings {MORGAN!r} are made from structures; give the library a column 'smiles' "
            "(in a replay: --library FILE with that column)."
        )
        raise CampaignFileError(msg)
    return {name: each.get(column, "") for name, each in attributes.items()}


def _column(attributes: Attributes, column: str) -> dict[str, str]:
    columns = sorted({known for each in attributes.values() for known in each})
    if column not in columns:
        there = f" Its columns are: {', '.join(columns)}." if columns else ""
        msg = (
            f"The library has no column {column!r} with ids for embeddings."
            f"{did_you_mean(column, columns)}{there}"
        )
        raise CampaignFileError(msg)
    return {name: each[column] for name, each in attributes.items() if each.get(column)}


def _named_apart(views: Sequence[TableView]) -> list[TableView]:
    """Views of one name in two files carry their files' names too."""
    times = Counter(view.name for view in views)
    apart = [
        replace(view, name=f"{PurePath(view.origin).name.partition('.')[0]}/{view.name}")
        if times[view.name] > 1
        else view
        for view in views
    ]
    name, most = Counter(view.name for view in apart).most_common(1)[0] if apart else ("", 1)
    if most > 1:
        msg = f"Two embedding files give a view {name!r}; name each file once, and rename one."
        raise UnreadableFileError(msg)
    return apart


def _picked(views: Sequence[TableView], picked: Sequence[str]) -> tuple[TableView, ...]:
    by_name = {view.name: view for view in views}
    for name in picked:
        if name not in by_name:
            origins = " and ".join(dict.fromkeys(view.origin for view in views))
            there = f" The views are: {', '.join(by_name)}." if views else " Name embeddings first."
            hint = did_you_mean(name, by_name)
            msg = f"{origins or 'The library'} has no view {name!r}.{hint}{there}"
            raise UnreadableFileError(msg)
    return tuple(by_name[name] for name in picked) or tuple(views)
