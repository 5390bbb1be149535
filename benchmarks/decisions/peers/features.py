"""Columns that describe candidates, for surrogates that know nothing of sets."""

import numpy as np
import numpy.typing as npt

from benchmarks.decisions.peer import PeerProblem
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import BoolArray, Combinations, FloatArray

Columns = npt.NDArray[np.float32]
_CHUNK = 65_536


def two_hot(problem: PeerProblem) -> Columns:
    """Which perturbagens act, how strongly, and where, shape (N, P [+ P] [+ C]).

    With doses every perturbagen has a second column: its log dose, from its own mean.

    Raises:
        IncompatibleError: If perturbagens act alone: then identity says nothing of any other.
    """
    here, combinations = problem.representations, problem.combinations
    if combinations.slots == 1:
        msg = "identity alone says nothing of perturbagens that act one at a time"
        raise IncompatibleError(msg)
    present = combinations.components >= 0
    rows, _ = np.nonzero(present)
    positions = combinations.components[present]
    identity = np.zeros((len(combinations), len(here.perturbagens)), dtype=np.float32)
    identity[rows, positions] = 1.0
    parts = [identity]
    doses = _log_doses(problem)
    if doses.any():
        strength = np.zeros_like(identity)
        strength[rows, positions] = doses[present]
        parts.append(strength)
    return np.concatenate([*parts, _contexts(problem)], axis=1)


def of_urs(problem: PeerProblem, components: int) -> Columns:
    """Symmetric columns of the URs' principal components, as in the data folder's own replays.

    Sum, range (for a pair: the absolute difference) and sum of pairwise products, then log doses
    by slot and the context, one-hot; for single perturbagens the components alone. Where there
    are no URs, `two_hot`.
    """
    here = problem.representations
    reduced = principal_components(here.perturbagens, here.known, components)
    if not reduced.shape[1]:
        return two_hot(problem)
    whole = problem.combinations
    parts = [
        _symmetric(reduced, whole[slice(start, start + _CHUNK)])
        for start in range(0, len(whole), _CHUNK)
    ]
    doses = _log_doses(problem)
    columns = [np.concatenate(parts), _contexts(problem)]
    if doses.any():
        columns.append(doses.astype(np.float32))
    return np.concatenate(columns, axis=1)


def principal_components(vectors: FloatArray, known: BoolArray, most: int) -> Columns:
    """At most so many components of the known rows, of unit variance together; others are 0."""
    if not vectors.shape[1] or known.sum() < 3:
        return np.zeros((len(vectors), 0), dtype=np.float32)
    centred = vectors[known] - vectors[known].mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    rank = min(most, int((singular > 1e-9 * max(singular[0], 1e-300)).sum()))
    scores = left[:, :rank] * singular[:rank]
    scale = float(np.sqrt((scores**2).sum(axis=1).mean())) if rank else 1.0
    reduced = np.zeros((len(vectors), rank), dtype=np.float32)
    reduced[known] = scores / scale
    return reduced


def _symmetric(reduced: Columns, combinations: Combinations) -> Columns:
    present: BoolArray = combinations.components >= 0
    items: Columns = reduced[np.where(present, combinations.components, 0)]
    items = np.where(present[..., None], items, np.float32(0.0))
    total: Columns = items.sum(axis=1)
    if combinations.slots == 1:
        return total
    inf = np.float32(np.inf)
    largest = np.where(present[..., None], items, -inf).max(axis=1)
    smallest = np.where(present[..., None], items, inf).min(axis=1)
    spread = np.where((combinations.components[:, :1] >= 0), largest - smallest, np.float32(0.0))
    products = (total**2 - (items**2).sum(axis=1)) / 2
    return np.concatenate([total, spread, products], axis=1)


def _log_doses(problem: PeerProblem) -> FloatArray:
    """log10 dose in each slot, from its perturbagen's mean, shape (N, k); 0 in empty slots."""
    doses = problem.representations.doses
    centred = np.nan_to_num(doses - np.nanmean(doses, axis=1, keepdims=True))
    combinations = problem.combinations
    present: BoolArray = combinations.components >= 0
    levels: FloatArray = centred[
        np.where(present, combinations.components, 0), np.where(present, combinations.levels, 0)
    ]
    return np.where(present, levels, 0.0)


def _contexts(problem: PeerProblem) -> Columns:
    count = len(problem.representations.contexts)
    if count == 1:
        return np.zeros((len(problem.combinations), 0), dtype=np.float32)
    return np.eye(count, dtype=np.float32)[problem.combinations.contexts]
