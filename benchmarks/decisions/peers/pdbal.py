"""BATCHIE's published rule, PDBAL, on posterior draws of a surrogate of ours.

Tosh et al., "A Bayesian active learning platform for scalable combination drug screens" (2023).
A well is good if, whatever it shows, the draws that remain likely agree with each other.

This is not BATCHIE: it scores whole plates with draws of its own tensor factorisation; here are
wells one by one, and draws of our Gaussian process. Its scorer
(`scoring/gaussian_dbal.py` at fb2e649a) gives three draws of equal noise variance v the overlap
exp(-sum(d^2) / 18), without v; the integral of three Gaussians is exp(-sum(d^2) / (6 v)), which
is what we use.
"""

import numpy as np
import numpy.typing as npt

from benchmarks.decisions.peer import Forecast, PeerProblem
from benchmarks.decisions.peers.ranking import best
from loop import plugins
from loop.ports.arrays import BoolArray, IntArray, TrainingSet
from loop.ports.engine import SurrogateProblem

_TRIPLES = 2_000
_CHUNK = 8_192
_SURROGATE = "gaussian-process"


class PdbalRule:
    """The q wells of smallest expected disagreement left among triples of 64 draws."""

    def __init__(self, problem: PeerProblem) -> None:
        """Take up a problem."""
        self._problem = problem
        self._surrogate = plugins.surrogate(_SURROGATE)(
            SurrogateProblem(
                problem.representations, problem.combinations.slots, 1, {}, problem.compute
            )
        )

    def learn(self, measured: TrainingSet, addresses: IntArray, rng: np.random.Generator) -> None:
        """Fit the Gaussian process."""
        self._surrogate.fit(measured, rng)

    def choose(self, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
        """Score all candidates, O(N triples)."""
        # What our acquisitions ask of such a surrogate, too: acquisition/belief/scannable.py.
        means = self._surrogate.member_means(self._problem.combinations)  # type: ignore[attr-defined]
        noise = float(self._surrogate.noise_sd()[0])  # type: ignore[attr-defined]
        draws = means[..., 0].cpu().numpy().astype(np.float32)
        return best(-expected_diameter(draws, noise, rng), left, size, rng)

    def forecast(self) -> Forecast | None:
        """The surrogate's own belief, as it comes."""
        belief = self._surrogate.believe(self._problem.combinations)
        return Forecast(belief.mean[:, 0], belief.sd[:, 0])


def expected_diameter(
    draws: npt.NDArray[np.float32], noise_sd: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """The log of the distance between draws that a well is expected to leave, shape (N,).

    `draws` has shape (S, N); the distance of two draws is their mean squared difference over all
    N. At most 2,000 random triples are looked at.
    """
    triples = _triples(len(draws), rng)
    square = (draws**2).mean(axis=1)
    apart = square[:, None] + square[None] - 2 * draws @ draws.T / draws.shape[1]
    first, second, third = triples.T
    around = apart[first, second] + apart[second, third] + apart[first, third]
    scores = np.empty(draws.shape[1])
    for start in range(0, draws.shape[1], _CHUNK):
        part = draws[:, start : start + _CHUNK]
        a, b, c = part[first], part[second], part[third]
        squares = (a - b) ** 2 + (b - c) ** 2 + (a - c) ** 2
        overlap = np.exp(-squares / (6 * max(noise_sd, 1e-6) ** 2))
        left = np.maximum(around, 0.0) @ overlap
        scores[start : start + _CHUNK] = np.log(np.maximum(left, 1e-300))
    return scores


def _triples(count: int, rng: np.random.Generator) -> IntArray:
    """Distinct members in each, shape (2,000, 3)."""
    return np.array([rng.choice(count, 3, replace=False) for _ in range(_TRIPLES)])
