"""Refusing joint draws that are no numbers."""

from torch import Tensor

from loop.domain.errors import IncompatibleError


def sound(draws: Tensor) -> Tensor:
    """The draws, shape (S, ...), as they came.

    Raises:
        IncompatibleError: If one is not finite; the sentence says which, from 1.
    """
    finite = draws.isfinite().flatten(1).all(dim=1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0]) + 1
        msg = (
            f"Member or draw {first} of the surrogate holds values that are not finite numbers; "
            "retrain it."
        )
        raise IncompatibleError(msg)
    return draws
