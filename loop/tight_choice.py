"""Choose a batch whose constraints are too tight for choosing one after another.

An acquisition chooses greedily, and may use up what the last choices would need. Here a pool of
candidates is rated by the same acquisition, without limits, and an integer programme takes those
of the best places that keep every limit together.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from loop.constraints import costs_of, holders
from loop.draft import Draft
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import Acquisition, BatchRequest, Chosen, Limits, Progress
from loop.space import ListedSpace, draw, is_taken

_LISTED = 2**18
_DRAWN = 50_000
_POOL = 2_000
_CHEAPEST = 700
_OF_GROUP = 150
_RATED = 400
_GAP = 0.02
_NODES = 2_000
_WHY = "Completes the batch within the constraints; it was not among the best of those rated."
NOTE = (
    "The constraints are so tight that choices made one after another found no end; they were "
    "made together, from {pool:,} candidates of which the best {rated:,} were told apart."
)


def choose_together(
    draft: Draft,
    request: BatchRequest,
    acquisition: Acquisition,
    rng: np.random.Generator,
    progress: Progress,
) -> Chosen | None:
    """All missing choices at once, within the limits of the request.

    Cost: one choice of 400 from 2,000 candidates, and an integer programme, seconds in all.

    Returns:
        None where the pool holds no such batch.
    """
    pool = _pool(draft, request.limits, rng)
    combinations = request.space.unrank(pool)
    rated = _rated(combinations, request, acquisition, rng, progress)
    # Those that were not rated come last, the cheapest first.
    worth = -1e-6 * costs_of(request.limits, combinations) / _dearest(request.limits, combinations)
    worth[rated.addresses] = 1.0 - np.arange(len(rated.addresses)) / (len(pool) + 1)
    places = _best_together(worth, combinations, request.limits, request.size)
    return None if places is None else _told(pool, places, rated)


def _dearest(limits: Limits, combinations: Combinations) -> float:
    return max(1e-9, float(costs_of(limits, combinations).max(initial=0.0)))


def _pool(draft: Draft, limits: Limits, rng: np.random.Generator) -> IntArray:
    """Addresses that fit the limits by themselves: the cheapest, some of each group, and a draw."""
    addresses = _on_offer(draft, rng)
    combinations = draft.question.space.unrank(addresses)
    fits = _fits(limits, combinations)
    addresses, combinations = addresses[fits], combinations[fits]
    if len(addresses) <= _POOL:
        return addresses
    mixed = rng.permutation(len(addresses))
    cheapest = mixed[np.argsort(costs_of(limits, combinations)[mixed], kind="stable")]
    owed = [group for group in limits.groups if group.at_least]
    parts = [cheapest[holders(group, combinations)[cheapest]][:_OF_GROUP] for group in owed]
    ordered = np.concatenate([cheapest[:_CHEAPEST], *parts, mixed])
    first = np.sort(np.unique(ordered, return_index=True)[1])
    kept: IntArray = ordered[first][: max(_POOL, _CHEAPEST + _OF_GROUP * len(owed))]
    return addresses[kept]


def _on_offer(draft: Draft, rng: np.random.Generator) -> IntArray:
    space, taken = draft.question.space, draft.taken
    if len(space) > _LISTED:
        left = space.on_offer() - len(taken)
        return draw(space, min(left, _DRAWN), taken, rng).addresses
    addresses = np.arange(len(space), dtype=np.int64)
    addresses = addresses[~is_taken(taken, addresses)]
    return addresses[space.permitted(space.unrank(addresses))]


def _fits(limits: Limits, combinations: Combinations) -> BoolArray:
    fits = costs_of(limits, combinations) <= limits.money
    if limits.max_uses:
        # The last entry answers for -1, the empty slot.
        room = np.append(limits.uses < limits.max_uses, True)
        fits &= room[combinations.components].all(axis=1)
    for group in limits.groups:
        if group.at_most == 0:
            fits &= ~holders(group, combinations)
    return np.asarray(fits)


def _rated(
    combinations: Combinations,
    request: BatchRequest,
    acquisition: Acquisition,
    rng: np.random.Generator,
    progress: Progress,
) -> Chosen:
    """The best of the pool in the order chosen; addresses are rows of the pool."""
    free = replace(
        request,
        space=ListedSpace(combinations),
        taken=np.zeros(0, dtype=np.int64),
        size=min(_RATED, len(combinations)),
        limits=Limits(uses=request.limits.uses, diversity=request.limits.diversity),
        checkpoint=None,
    )
    return acquisition.choose(free, rng, progress)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of an integer programme, `least <= matrix @ chosen <= most`."""

    matrix: csr_array
    least: FloatArray
    most: FloatArray


def _best_together(
    worth: FloatArray, combinations: Combinations, limits: Limits, size: int
) -> IntArray | None:
    """The rows of most worth together that keep the limits; None where no rows do."""
    rows = [*_of_numbers(combinations, limits, size)]
    if limits.max_uses:
        rows.append(_of_uses(combinations, limits))
    found = milp(
        -worth,
        integrality=np.ones(len(worth)),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(each.matrix, each.least, each.most) for each in rows],
        options={"mip_rel_gap": _GAP, "node_limit": _NODES},
    )
    if found.x is None:
        return None
    places = np.flatnonzero(found.x > 0.5)
    return places[np.argsort(-worth[places], kind="stable")]


def _of_numbers(combinations: Combinations, limits: Limits, size: int) -> list[_Rows]:
    lines: list[tuple[FloatArray, float, float]] = [
        (np.ones(len(combinations)), size, size),
        *(
            (
                holders(group, combinations).astype(np.float64),
                group.at_least,
                np.inf if group.at_most is None else group.at_most,
            )
            for group in limits.groups
        ),
    ]
    if np.isfinite(limits.money):
        lines.append((costs_of(limits, combinations), -np.inf, limits.money))
    matrix = csr_array(np.stack([line for line, _, _ in lines]))
    least, most = (np.array([line[at] for line in lines], dtype=np.float64) for at in (1, 2))
    return [_Rows(matrix, least, most)]


def _of_uses(combinations: Combinations, limits: Limits) -> _Rows:
    filled = combinations.components >= 0
    columns, _ = np.nonzero(filled)
    used, rows = np.unique(combinations.components[filled], return_inverse=True)
    shape = (len(used), len(combinations))
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    room = (limits.max_uses - limits.uses[used]).astype(np.float64)
    return _Rows(matrix, np.zeros(len(used)), room)


def _told(pool: IntArray, places: IntArray, rated: Chosen) -> Chosen:
    """The chosen rows as the acquisition told of them, or as what completes the batch."""
    row_of = {int(row): at for at, row in enumerate(rated.addresses)}
    at = np.array([row_of.get(int(place), -1) for place in places], dtype=np.int64)
    known = at >= 0
    scores = np.full(len(places), np.nan)
    scores[known] = rated.scores[at[known]]
    ranks = np.zeros(len(places), dtype=np.int64)
    if len(rated.ranks):
        ranks[known] = rated.ranks[at[known]]
    reasons = tuple(rated.reasons[each] if each >= 0 else _WHY for each in at)
    note = NOTE.format(pool=len(pool), rated=len(rated.addresses))
    return Chosen(pool[places], scores, reasons, ranks, notes=(note, *rated.notes))
