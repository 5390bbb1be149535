"""What stands for a surrogate before anything was measured; only blind acquisitions serve it."""

import numpy as np

from loop.domain.errors import IncompatibleError
from loop.ports.arrays import Belief, Combinations, SurrogateState, TrainingSet
from loop.ports.engine import Progress, silent


class NothingKnown:
    """A surrogate that answers nothing: every question is refused in a sentence."""

    family = "none"

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """It never learns."""
        raise _refusal()

    def believe(self, combinations: Combinations) -> Belief:
        """It believes nothing."""
        raise _refusal()

    def out_of_fold(self) -> Belief:
        """It has learned nothing."""
        raise _refusal()

    def state(self) -> SurrogateState:
        """It has no state."""
        raise _refusal()

    def restore(self, state: SurrogateState) -> None:
        """It becomes nobody."""
        raise _refusal()

    def model(self) -> object:
        """It has no BoTorch model."""
        raise _refusal()


def _refusal() -> IncompatibleError:
    msg = (
        "Nothing has been measured yet, so there is no surrogate to ask; choose the first batch "
        "by batch.first = 'random' or 'space-filling', or ingest results and retrain."
    )
    return IncompatibleError(msg)
