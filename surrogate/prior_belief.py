"""What earlier screens alone let one believe, before anything of the campaign is measured."""

import numpy as np
import torch
from torch import Tensor

from loop.domain.errors import InvalidError
from loop.ports.arrays import Belief, Combinations, FloatArray, SurrogateState, TrainingSet
from loop.ports.engine import Progress, SurrogateProblem, silent
from surrogate.botorch_model import MemberModel
from surrogate.prior_evidence import PriorEvidence
from surrogate.readout_scale import ReadoutScale

_EXPECTED = 0.25
_MEASURED = 0.1
_DRAWS = 64


class PriorBelief:
    """Follows the earlier screens a little way, in SDs of their readouts.

    Of the campaign it learns the mean and the SD of each readout and nothing else; before anything
    is measured they are 0 and 1.

    Each screen's expectation counts with a slope of 0.25 and its remainder with 0.1, each about as
    uncertain as it is large: between cell lines, screens agree about so much (the Jurkat and K562
    maps of Horlbeck et al., 2018; other pairs of screens were not used to set this). It serves to
    choose the first batch, and is then replaced by a surrogate that learns the slopes. The slopes
    of J screens are divided by the root of J.
    """

    family = "prior"

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If it holds no earlier screen, or there is any setting.
        """
        if problem.settings:
            msg = "The surrogate 'prior' has no settings; remove them."
            raise InvalidError(msg)
        if not problem.prior:
            msg = "The surrogate 'prior' needs an earlier screen; name one under [[prior]]."
            raise InvalidError(msg)
        self._readouts = problem.readouts
        self._evidence = PriorEvidence(problem.prior, problem.representations.doses)
        screens = len(problem.prior)
        self._slopes = np.tile([_EXPECTED, _MEASURED], screens) / np.sqrt(screens)
        self._seed = 0
        self._scale = ReadoutScale(np.zeros(self._readouts), np.ones(self._readouts))
        self._learned = Belief(*(np.zeros((0, problem.readouts)) for _ in range(3)))

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Draw the slopes, and take over the readouts' units; the training set may be empty."""
        self._seed = int(rng.integers(2**31))
        self._scale = ReadoutScale.of(training.values)
        self._learned = self.believe(training.combinations)

    def believe(self, combinations: Combinations) -> Belief:
        """Mean and spread, in SDs the same for every readout."""
        columns = self._evidence.columns(combinations)
        spread = np.sqrt((columns**2 * self._slopes**2).sum(axis=1))
        scale = self._scale
        return Belief(
            scale.mean + scale.sd * (columns @ self._slopes)[:, None],
            scale.sd * np.maximum(spread, 1e-6)[:, None],
            np.broadcast_to(scale.sd, (len(combinations), self._readouts)).copy(),
        )

    def out_of_fold(self) -> Belief:
        """As `believe`: hardly anything was learned from the rows."""
        return self._learned

    def member_means(self, combinations: Combinations) -> Tensor:
        """64 draws of the slopes, shape (S, N, m), float32; their mean is the mean."""
        generator = torch.Generator().manual_seed(self._seed)
        half = torch.randn(_DRAWS // 2, len(self._slopes), generator=generator)
        slopes = torch.as_tensor(self._slopes, dtype=torch.float32)
        drawn = slopes + torch.cat([half, -half]) * slopes
        columns = torch.as_tensor(self._evidence.columns(combinations), dtype=torch.float32)
        size, centre = (torch.as_tensor(each) for each in (self._scale.sd, self._scale.mean))
        return ((drawn @ columns.T)[:, :, None] * size + centre).to(torch.float32)

    def noise_sd(self) -> Tensor:
        """A readout's SD: nearly all of its spread is what earlier screens do not tell."""
        return torch.as_tensor(self._scale.sd, dtype=torch.float32)

    def state(self) -> SurrogateState:
        """The seed of the slopes, the units, and what was believed of the last training set."""
        arrays: dict[str, FloatArray] = {
            "scale.mean": self._scale.mean,
            "scale.sd": self._scale.sd,
            "mean": self._learned.mean,
            "epistemic_sd": self._learned.epistemic_sd,
            "aleatoric_sd": self._learned.aleatoric_sd,
        }
        return SurrogateState(arrays, {"seed": self._seed})

    def restore(self, state: SurrogateState) -> None:
        """Become the surrogate that gave `state`."""
        self._seed = int(str(state.settings["seed"]))
        self._scale = ReadoutScale(*(np.array(state.arrays[f"scale.{e}"]) for e in ("mean", "sd")))
        names = ("mean", "epistemic_sd", "aleatoric_sd")
        self._learned = Belief(*(np.array(state.arrays[name]) for name in names))

    def model(self) -> MemberModel:
        """The BoTorch model over the draws."""
        return MemberModel(self.member_means, self._readouts)
