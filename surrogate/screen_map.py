"""What an earlier screen says of any set of perturbagens: effects, a low-rank map, what is left.

A set is expected to do the sum of its perturbagens' effects plus, for each pair, a bilinear term of
low rank; both are shrunk by how much the screen itself supports them. Effects are shrunk means by
back-fitting (Hastie and Tibshirani, 1990). The map is a truncated eigen-decomposition of the
symmetric matrix of pair residuals, gaps filled in by itself (soft-impute, Mazumder et al., 2010),
kept above the noise's edge (Gavish and Donoho, 2014).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import eigsh

from loop.ports.arrays import Combinations, FloatArray, IntArray, PriorScreen

_SWEEPS = 12
_FILLINGS = 5
_LARGEST_RANK = 32
_DENSE = 1_500
_MOST_IN_PAIRS = 3_000
"""Of more perturbagens that were in pairs, these, the most often measured, are mapped."""
_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class ScreenMap:
    """The map of one screen, in its own positions and in SDs of its values.

    Attributes:
        effects: What a perturbagen does alone, shape (P',).
        factors: Its place in the map, shape (P', r).
        signs: +1 or -1 for each column of `factors`, shape (r,).
    """

    effects: FloatArray
    factors: FloatArray
    signs: FloatArray

    @classmethod
    def of(cls, screen: PriorScreen) -> "ScreenMap":
        """Learn the map, in O(N) a sweep and O(P''^2 r) for factors of P'' <= 3,000."""
        components = screen.combinations.components
        size = len(screen.doses)
        values = standardised(screen.values)
        effects = _effects(components, values, size)
        left = values - _sums(components, effects)
        factors, signs = _factors(components, left, size)
        return cls(effects, factors, signs)

    def expected(self, components: IntArray) -> FloatArray:
        """What sets are expected to do, shape (N,); positions (N, k), -1 where empty or unknown."""
        edged = np.vstack([self.factors, np.zeros((1, self.factors.shape[1]))])
        total = np.zeros((len(components), self.factors.shape[1]))
        squares = np.zeros_like(total)
        for slot in components.T:
            vectors = edged[slot]
            total += vectors
            squares += vectors**2
        pairs: FloatArray = 0.5 * (total**2 - squares) @ self.signs
        return _sums(components, self.effects) + pairs


def standardised(values: FloatArray) -> FloatArray:
    """Values to median 0 and robust SD 1, held within 5 SDs."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle)) or values.std() or 1.0
    held: FloatArray = np.clip((values - middle) / spread, -_LIMIT, _LIMIT)
    return held


def _sums(components: IntArray, effects: FloatArray) -> FloatArray:
    summed: FloatArray = np.append(effects, 0.0)[components].sum(axis=1)
    return summed


def _effects(components: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Shrunk means by back-fitting: each in turn explains what the others leave."""
    rows, slots = np.nonzero(components >= 0)
    who = components[rows, slots]
    count = np.bincount(who, minlength=size)
    effects = np.zeros(size)
    ratio = 4.0
    for _ in range(_SWEEPS):
        left = values - _sums(components, effects)
        sums = np.bincount(who, weights=left[rows], minlength=size)
        # All at once, so each set's members share what they leave: half a step is stable for pairs.
        wanted = (sums + count * effects) / (count + ratio)
        effects = effects + (wanted - effects) / max(components.shape[1], 1)
        met = count > 0
        noise = float(np.var(values - _sums(components, effects)))
        signal = float(np.mean(effects[met] ** 2)) if met.any() else 0.0
        ratio = float(np.clip(noise / max(signal, 1e-6), 0.1, 1e3))
    return effects


def _factors(components: IntArray, left: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Factors (P', r) and signs (r,) of the pairs' residuals; r = 0 where there is no signal."""
    none = np.zeros((size, 0)), np.zeros(0)
    if components.shape[1] < 2:
        return none
    pairs = (components >= 0).sum(axis=1) == 2
    ordered = np.sort(components[pairs], axis=1)[:, -2:]
    times = np.bincount(ordered.ravel(), minlength=size)
    # The table below has a row for each, so a genome must not have its share of it.
    most = min(_MOST_IN_PAIRS, int((times > 0).sum()))
    who = np.sort(np.argsort(-times, kind="stable")[:most])
    place = np.full(size, -1)
    place[who] = np.arange(len(who))
    within = (place[ordered] >= 0).all(axis=1)
    if within.sum() < 4 * np.sqrt(len(who)) or len(who) < 8:
        return none
    found, signs = _decomposed(place[ordered[within]], left[pairs][within], len(who))
    factors = np.zeros((size, len(signs)))
    factors[who] = found
    return factors, signs


def _decomposed(pairs: IntArray, left: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Factors (size, r) and signs (r,) of the pairs (N, 2) among `size`, in O(size^2) memory."""
    none = np.zeros((size, 0)), np.zeros(0)
    table, seen = np.zeros((size, size)), np.zeros((size, size))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), left)
    np.add.at(seen, (pairs[:, 0], pairs[:, 1]), 1.0)
    table, seen = table + table.T, seen + seen.T
    there = seen > 0
    table = np.where(there, table / np.maximum(seen, 1.0), 0.0)
    # A random symmetric matrix has eigenvalues up to twice SD x root of the entries in a row. In a
    # gappy one the fullest row decides; with the mean row, noise alone made a map.
    edge = 2.0 * float(table[there].std()) * np.sqrt(there.sum(axis=1).max())
    filled = table
    for _ in range(_FILLINGS):
        values, vectors = _largest(filled)
        shrunk = np.sign(values) * np.sqrt(np.maximum(values**2 - edge**2, 0.0))
        kept = shrunk != 0
        if not kept.any():
            return none
        estimate = (vectors[:, kept] * shrunk[kept]) @ vectors[:, kept].T
        filled = np.where(there, table, estimate)
        np.fill_diagonal(filled, estimate.diagonal())
    return vectors[:, kept] * np.sqrt(np.abs(shrunk[kept])), np.sign(shrunk[kept])


def _largest(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The eigenvalues of largest size with their vectors, at most 32."""
    rank = min(_LARGEST_RANK, len(table) - 1)
    if len(table) > _DENSE:
        values, vectors = eigsh(table, k=rank, which="LM", v0=np.ones(len(table)))
        return values, vectors
    values, vectors = np.linalg.eigh(table)
    kept = np.argsort(-np.abs(values), kind="stable")[:rank]
    return values[kept], vectors[:, kept]


def located(combinations: Combinations, positions: IntArray) -> IntArray:
    """A campaign's components in a screen's positions, shape (N, k); -1 where it has none."""
    found: IntArray = np.where(combinations.components >= 0, positions[combinations.components], -1)
    return found
