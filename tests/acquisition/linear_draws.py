"""Two deterministic surrogates with the same belief: one with members, one with only a model."""

from collections.abc import Mapping

import numpy as np
import torch
from botorch.models.ensemble import EnsembleModel
from torch import Tensor

from loop.ports.arrays import Belief, Combinations, SurrogateState, TrainingSet
from loop.ports.engine import Progress, silent


class LinearDraws:
    """S members, each a sum of main effects and a context's; a surrogate that is never fitted.

    `sign` -1 negates every prediction. Members are added up in a fixed order, so that a
    prediction does not depend on what else is asked for.
    """

    family = "ensemble"

    def __init__(
        self, perturbagens: int = 9, members: int = 6, sign: float = 1.0, noise: float = 0.5
    ) -> None:
        rng = np.random.default_rng(4)
        self.effects = sign * torch.from_numpy(
            rng.normal(size=(members, perturbagens)) + rng.normal(size=perturbagens)
        )
        self.curved = sign * torch.from_numpy(0.4 * rng.normal(size=(members, 31)))
        self._noise = noise

    def member_means(self, combinations: Combinations) -> Tensor:
        first, second = torch.from_numpy(combinations.components).unbind(dim=1)
        mixed = (7 * first + 11 * second + 5 * torch.from_numpy(combinations.contexts)) % 31
        values = self.effects[:, first] + self.effects[:, second] + self.curved[:, mixed]
        return values[..., None]

    def noise_sd(self) -> Tensor:
        return torch.tensor([self._noise], dtype=torch.float64)

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        progress(1.0, "nothing to fit")

    def believe(self, combinations: Combinations) -> Belief:
        members = self.member_means(combinations).numpy()
        mean, doubt = members.mean(axis=0), members.std(axis=0, ddof=1)
        return Belief(mean, doubt, np.full_like(mean, self._noise))

    def out_of_fold(self) -> Belief:
        return Belief(*(np.empty((0, 1)) for _ in range(3)))

    def state(self) -> SurrogateState:
        settings: Mapping[str, object] = {}
        return SurrogateState({"effects": self.effects.numpy()}, settings)

    def restore(self, state: SurrogateState) -> None:
        self.effects = torch.from_numpy(np.asarray(state.arrays["effects"]))

    def model(self) -> "LinearModel":
        return LinearModel(self)


class LinearModel(EnsembleModel):
    """The members as BoTorch sees them."""

    def __init__(self, members: LinearDraws) -> None:
        super().__init__()
        self._members = members
        self._num_outputs = len(members.noise_sd())

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        rows = X.reshape(-1, X.shape[-1])
        values = self._members.member_means(Combinations.of_features(rows.numpy()))
        return values.reshape(-1, *X.shape[:-1], self._num_outputs).movedim(0, -3)


class ModelOnly:
    """The same surrogate for one who can only ask for its BoTorch model."""

    family = "gaussian-process"

    def __init__(self, model: object) -> None:
        self._model = model

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        progress(1.0, "nothing to fit")

    def believe(self, combinations: Combinations) -> Belief:
        raise NotImplementedError

    def out_of_fold(self) -> Belief:
        raise NotImplementedError

    def state(self) -> SurrogateState:
        raise NotImplementedError

    def restore(self, state: SurrogateState) -> None:
        raise NotImplementedError

    def model(self) -> object:
        return self._model
