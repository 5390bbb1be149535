"""The Gaussian process that is told who the perturbagens are and nothing else: a control.

What `gaussian-process` finds beyond this one is what the URs are worth.
"""

from dataclasses import replace

import numpy as np

from loop.ports.arrays import Representations
from loop.ports.engine import SurrogateProblem
from surrogate.gaussian_process import GaussianProcess


class TwoHotGaussianProcess(GaussianProcess):
    """`GaussianProcess` with the URs of perturbagens taken away: cost and limits are the same.

    Identities, doses, contexts and prior evidence stay. It knows nothing of a perturbagen that
    was never measured: each of them gets the same belief.
    """

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If a setting is unknown or out of range, or there is no such device.
        """
        here = problem.representations
        blind = without_urs(here)
        super().__init__(replace(problem, representations=blind))


def without_urs(representations: Representations) -> Representations:
    """The same library with nothing known of its perturbagens (d = 0)."""
    count = len(representations.perturbagens)
    return replace(
        representations,
        perturbagens=np.zeros((count, 0)),
        known=np.zeros(count, dtype=bool),
        views=(),
    )
