"""Naming the member and the perturbation that are no finite numbers."""

import numpy as np
from torch import Tensor

from loop.domain.errors import IncompatibleError
from loop.ports.arrays import Combinations, FloatArray


def check_finite(means: Tensor, combinations: Combinations) -> None:
    """Refuse predictions that are not finite: they would win every comparison, or none.

    `means` are those of N perturbations by S members, shape (S, N, ...). One sum over them, as
    long as all is well.

    Raises:
        IncompatibleError: If one is not; the sentence names a member, from 1, and a perturbation.
    """
    if bool(means.sum().isfinite()):
        return
    wrong = ~means.isfinite().reshape(len(means), len(combinations), -1).all(dim=2)
    places = wrong.nonzero()
    if len(places):
        member, at = places[0].tolist()
        told = means[member, at].flatten()
        value = float(told[~told.isfinite()][0])
        who = member if len(means) > 1 else None
        raise IncompatibleError(not_finite(who, value, combinations[at : at + 1]))


def not_finite(member: int | None, value: float, combination: Combinations) -> str:
    """What a member (from 0), or the only one, predicts for one perturbation (N = 1), in words."""
    who = "The surrogate" if member is None else f"Member {member + 1} of the surrogate"
    return f"{who} predicts {value} for {_words(combination)}; retrain it."


def check_utilities(utilities: FloatArray, combinations: Combinations) -> None:
    """Refuse utilities of N perturbations that are NaN or inf; -inf only says "never".

    Raises:
        IncompatibleError: If one is; the sentence names the perturbation.
    """
    wrong = np.flatnonzero(~(utilities < np.inf))
    if len(wrong):
        at = int(wrong[0])
        msg = (
            f"The acquisition rates {_words(combinations[at : at + 1])} {utilities[at]}, which is "
            "not a finite number; retrain the surrogate, or choose another acquisition."
        )
        raise IncompatibleError(msg)


def _words(combination: Combinations) -> str:
    held = combination.components[0] >= 0
    components = combination.components[0][held].tolist()
    levels = combination.levels[0][held].tolist()
    return (
        f"perturbagens {components} at levels {levels} in context "
        f"{int(combination.contexts[0])} (positions in the library)"
    )
