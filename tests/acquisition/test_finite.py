"""Numbers that are none, and who said them."""

import numpy as np
import pytest
import torch

from acquisition.belief.finite import check_finite, check_utilities
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import Combinations

THREE = Combinations(
    np.array([[0, 4, -1], [2, -1, -1], [-1, -1, -1]]),
    np.array([[0, 1, -1], [3, -1, -1], [-1, -1, -1]]),
    np.array([0, 1, 2]),
)


def test_finite_predictions_pass_even_where_their_sum_overflows() -> None:
    check_finite(torch.zeros(4, 3, 2), THREE)
    check_finite(torch.full((4, 3), 1.5e308, dtype=torch.float64), THREE)
    check_finite(torch.zeros(4, 0), THREE[:0])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_member_and_perturbation_are_named(value: float) -> None:
    means = torch.zeros(4, 3, 2)
    means[2, 1, 1] = means[3, 2, 0] = value

    with pytest.raises(
        IncompatibleError,
        match=rf"Member 3 of the surrogate predicts {value} for perturbagens \[2\] at levels \[3\] "
        r"in context 1 \(positions in the library\); retrain it",
    ):
        check_finite(means, THREE)


def test_a_surrogate_without_members_is_named_itself() -> None:
    with pytest.raises(IncompatibleError, match="The surrogate predicts nan"):
        check_finite(torch.full((1, 3), torch.nan), THREE)


def test_a_utility_may_be_never_but_not_nan() -> None:
    check_utilities(np.array([0.0, -np.inf, 1.0]), THREE)

    with pytest.raises(
        IncompatibleError, match=r"rates perturbagens \[\] at levels \[\] in context 2"
    ):
        check_utilities(np.array([0.0, -np.inf, np.nan]), THREE)
