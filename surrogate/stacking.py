"""How much to listen to each of several surrogates, by what they said of wells they never saw."""

import numpy as np

from loop.ports.arrays import FloatArray

_ROUNDS = 200
_CLOSE = 1e-6


def stacking_weights(log_scores: FloatArray, doubt: float) -> FloatArray:
    """Weights of K surrogates, shape (K,), summing to 1.

    They maximise the log density that the mixture of the surrogates' beliefs gives to n wells
    (stacking of predictive distributions, Yao et al., Bayesian Analysis 2018), with a Dirichlet
    prior that counts each surrogate as if it had won `doubt` wells; that is ours, because a few
    dozen wells cannot tell two good surrogates apart. By expectation-maximisation, O(n K) a step.

    Args:
        log_scores: Log density of each well under each surrogate, shape (n, K).
        doubt: Wells' worth of belief in equal weights.
    """
    n, k = log_scores.shape
    weights = np.full(k, 1.0 / k)
    scores = np.exp(log_scores - log_scores.max(axis=1, keepdims=True)) if n else log_scores
    for _ in range(_ROUNDS):
        shares = weights * scores
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        updated = (shares.sum(axis=0) + doubt) / (n + k * doubt)
        moved = float(np.abs(updated - weights).max())
        weights = updated
        if moved < _CLOSE:
            break
    return weights
