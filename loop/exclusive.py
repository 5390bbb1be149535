"""Perturbagens that never act together because they share a value of a column."""

from collections.abc import Sequence
from itertools import combinations

from loop.constraints import column_of
from loop.domain.errors import CampaignFileError
from loop.domain.perturbation import Perturbagen

MOST_PAIRS = 200_000
"""With so many forbidden pairs every command already takes some five seconds longer."""


def exclusive_pairs(
    columns: Sequence[str], perturbagens: Sequence[Perturbagen]
) -> frozenset[frozenset[str]]:
    """Every pair of perturbagens with a common value in one of some columns.

    Blank cells share nothing; a cell may hold several values with ';' between them.

    Raises:
        CampaignFileError: If the table lacks a column, or the pairs are more than `MOST_PAIRS`.
    """
    pairs: set[frozenset[str]] = set()
    for column in columns:
        members: dict[str, list[str]] = {}
        cells = column_of(column, perturbagens, "constraints.exclusive")
        for perturbagen, values in zip(perturbagens, cells, strict=True):
            for value in dict.fromkeys(values):
                members.setdefault(value, []).append(perturbagen.id)
        _check_count(column, members)
        for ids in members.values():
            pairs.update(frozenset(pair) for pair in combinations(ids, 2))
    return frozenset(pairs)


def _check_count(column: str, members: dict[str, list[str]]) -> None:
    count = sum(len(ids) * (len(ids) - 1) // 2 for ids in members.values())
    if count <= MOST_PAIRS:
        return
    largest = max(members, key=lambda value: len(members[value]))
    msg = (
        f"constraints.exclusive = {column!r} would forbid {count:,} pairs, of {MOST_PAIRS:,} at "
        f"most ({len(members[largest]):,} perturbagens have {largest!r}); name a finer column, or "
        "list the allowed perturbations in library.allowed."
    )
    raise CampaignFileError(msg)
