"""How many weighted sets hold no forbidden set, counted without listing them.

The number of r-sets, each weighted by the product of its members' weights (their dose levels),
is the r-th elementary symmetric polynomial of the weights. Sets that contain a forbidden one are
taken off: in closed form up to three members (for pairs in triples: stars minus paths plus
triangles), and above by branching on the most constrained perturbagen, component by component,
as for the independence polynomial of a graph.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from loop.domain.errors import SpaceTooLargeError
from loop.space.forbidden import without_supersets

_WORK = 2_000_000
"""Perturbagens and forbidden sets looked at before a count is given up: some ten seconds."""

_Sets = Collection[frozenset[int]]


def permitted_counts(
    weights: Sequence[int],
    forbidden: Collection[Collection[int]],
    highest: int,
    work: int = _WORK,
) -> list[int]:
    """Weighted numbers of sets of 0..`highest` members that contain no forbidden set.

    Cost: O(P highest + F) and the triangles among forbidden pairs up to three members; above,
    in proportion to the tangle of the constraints: small groups are cheap.

    Args:
        weights: One positive whole number for each of P perturbagens.
        forbidden: Minimal sets of positions (none contains another).
        highest: The largest number of members asked about.
        work: Perturbagens and sets that may be looked at above three members.

    Raises:
        SpaceTooLargeError: If more than three members are asked about and the constraints are
            so entangled that the count would take minutes.
    """
    sets = [frozenset(each) for each in forbidden]
    return _Counter(work).counts(dict(enumerate(weights)), sets, highest)


class _Counter:
    """The recursion, with its budget."""

    def __init__(self, work: int) -> None:
        self._left = work

    def counts(self, weights: Mapping[int, int], forbidden: _Sets, highest: int) -> list[int]:
        banned = {next(iter(each)) for each in forbidden if len(each) == 1}
        free = {one: weight for one, weight in weights.items() if one not in banned}
        sets = [each for each in forbidden if len(each) > 1 and not each & banned]
        if highest <= 3:
            return _closed_form(free, sets, highest)
        self._spend(len(weights) + len(forbidden))
        product = [1] + [0] * highest
        tied = {one for each in sets for one in each}
        loose = [weight for one, weight in free.items() if one not in tied]
        for part in (_elementary(loose, highest), *self._components(free, sets, highest)):
            product = _times(product, part)
        return product

    def _components(
        self, weights: Mapping[int, int], sets: list[frozenset[int]], highest: int
    ) -> list[list[int]]:
        found = []
        for members, their_sets in _connected(sets):
            inside = {one: weights[one] for one in members}
            found.append(self._branch(inside, their_sets, highest))
        return found

    def _branch(
        self, weights: dict[int, int], sets: list[frozenset[int]], highest: int
    ) -> list[int]:
        """Sets with the first pivot, then sets without it but with the second, and so on."""
        total = [0] * (highest + 1)
        while sets:
            self._spend(len(weights) + len(sets))
            uses = Counter(one for each in sets for one in each)
            pivot = min(uses, key=lambda one: (-uses[one], one))
            weight = weights.pop(pivot)
            with_pivot = without_supersets({each - {pivot} for each in sets})
            for size, count in enumerate(self.counts(weights, with_pivot, highest - 1)):
                total[size + 1] += weight * count
            sets = [each for each in sets if pivot not in each]
        rest = _elementary(list(weights.values()), highest)
        return [with_any + without for with_any, without in zip(total, rest, strict=True)]

    def _spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            msg = (
                "The forbidden sets are too entangled to count what they leave at order 4 or "
                "above; forbid fewer, or list the allowed perturbations in a file."
            )
            raise SpaceTooLargeError(msg)


def _closed_form(weights: Mapping[int, int], sets: _Sets, highest: int) -> list[int]:
    """Counts up to three members; `sets` hold two members or more."""
    counts = _elementary(list(weights.values()), highest)
    if highest >= 2:
        counts[2] -= sum(_weight(each, weights) for each in sets if len(each) == 2)
    if highest >= 3:
        counts[3] -= sum(_weight(each, weights) for each in sets if len(each) == 3)
        counts[3] -= _triples_with_a_pair(weights, [each for each in sets if len(each) == 2])
    return counts


def _triples_with_a_pair(weights: Mapping[int, int], pairs: _Sets) -> int:
    """Weighted triples that contain at least one of the pairs.

    A triple with one, two or three of them is counted 1, 2 or 3 times as pair and third member,
    0, 1 or 3 times as two pairs that meet, and 0, 0 or 1 times as a triangle.
    """
    everything = sum(weights.values())
    beside: dict[int, set[int]] = {}
    for one, other in map(sorted, pairs):
        beside.setdefault(one, set()).add(other)
        beside.setdefault(other, set()).add(one)
    extended = sum(
        _weight(pair, weights) * (everything - sum(weights[one] for one in pair)) for pair in pairs
    )
    meeting = sum(
        weights[one] * _elementary([weights[other] for other in others], 2)[2]
        for one, others in beside.items()
    )
    # Each pair points to its better connected end, so that every list below stays short.
    ahead = {
        one: {other for other in others if (len(beside[other]), other) > (len(others), one)}
        for one, others in beside.items()
    }
    triangles = sum(
        weights[one] * weights[other] * sum(weights[third] for third in others & ahead[other])
        for one, others in ahead.items()
        for other in others
    )
    return extended - meeting + triangles


def _elementary(weights: Sequence[int], highest: int) -> list[int]:
    counts = [1] + [0] * highest
    for weight in weights:
        for size in range(highest, 0, -1):
            counts[size] += weight * counts[size - 1]
    return counts


def _weight(members: frozenset[int], weights: Mapping[int, int]) -> int:
    product = 1
    for one in members:
        product *= weights[one]
    return product


def _times(left: list[int], right: list[int]) -> list[int]:
    """The product of two polynomials, cut off at the length of the first."""
    return [
        sum(left[taken] * right[size - taken] for taken in range(size + 1))
        for size in range(len(left))
    ]


def _connected(sets: list[frozenset[int]]) -> list[tuple[set[int], list[frozenset[int]]]]:
    """The components of a hypergraph: members, and the sets among them."""
    of_member: dict[int, list[int]] = {}
    for index, each in enumerate(sets):
        for one in each:
            of_member.setdefault(one, []).append(index)
    components = []
    unseen = dict.fromkeys(range(len(sets)))
    while unseen:
        first, _ = unseen.popitem()
        waiting, members, inside = [first], set[int](), []
        while waiting:
            index = waiting.pop()
            inside.append(sets[index])
            for one in sets[index] - members:
                members.add(one)
                fresh = [near for near in of_member[one] if near in unseen]
                for near in fresh:
                    del unseen[near]
                waiting += fresh
        components.append((members, inside))
    return components
