"""What a surrogate believes, whichever way it can be asked."""

import math
from typing import Protocol, TypeGuard

import torch
from botorch.models.model import Model
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.posteriors.fully_bayesian import GaussianMixturePosterior
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.get_sampler import get_sampler
from torch import Tensor

from acquisition.marginals import Marginals
from acquisition.scannable import KnowsNoise, Scannable
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import Combinations
from loop.ports.engine import Surrogate

_BLOCK = 1_024
"""Rows a BoTorch model is asked at once: a GP forms a (rows, training wells) matrix for them."""


class Beliefs(Protocol):
    """Beliefs about the first readout, one by one and jointly."""

    @property
    def joint_limit(self) -> int | None:
        """How many candidates `draws` should be asked for; None: memory is the limit."""
        ...

    def marginals(self, combinations: Combinations) -> Marginals:
        """Each candidate by itself."""
        ...

    def draws(self, combinations: Combinations) -> Tensor:
        """S joint realisations, shape (S, N), float64 on the CPU."""
        ...


def beliefs_of(surrogate: Surrogate, draws: int, seed: int, replicates: int = 1) -> Beliefs:
    """The fastest way to ask this surrogate: its members, or its BoTorch posterior.

    `draws` and `seed` matter only for a posterior that has no members. A candidate is measured
    in `replicates` wells, so that its noise is that of their mean.

    Raises:
        IncompatibleError: If it has neither members nor a BoTorch `Model`.
    """
    if isinstance(surrogate, Scannable):
        return MemberBeliefs(surrogate, replicates)
    model = surrogate.model()
    if not isinstance(model, Model):
        msg = (
            f"The surrogate gives a {type(model).__name__} where a botorch Model is needed; "
            "choose another surrogate, or acquisition 'random'."
        )
        raise IncompatibleError(msg)
    noise = surrogate if isinstance(surrogate, KnowsNoise) else None
    return PosteriorBeliefs(model, noise, draws, seed, replicates)


class MemberBeliefs:
    """The beliefs of a surrogate with members."""

    def __init__(self, surrogate: Scannable, replicates: int) -> None:
        self._surrogate = surrogate
        self._noise_sd = float(surrogate.noise_sd()[0]) / math.sqrt(replicates)

    @property
    def joint_limit(self) -> int | None:
        """None: a draw costs no more than a prediction."""
        return None

    @torch.no_grad()
    def marginals(self, combinations: Combinations) -> Marginals:
        """One component a member."""
        means = self._surrogate.member_means(combinations)[..., 0].double()
        return Marginals(means, None, self._noise_sd)

    def draws(self, combinations: Combinations) -> Tensor:
        """The members are the draws."""
        return self.marginals(combinations).means.cpu()


class PosteriorBeliefs:
    """The beliefs of a BoTorch model, through its posterior.

    Members of an `EnsemblePosterior` are all taken, each once: BoTorch's `IndexSampler` would
    rank candidates by different members. A Gaussian posterior gives mean and variance, and
    joint draws in pairs mirrored at the mean, so that maximising y and minimising -y see the
    same draws. Any other posterior is drawn from by the sampler that BoTorch has for it.
    """

    def __init__(
        self, model: Model, noise: KnowsNoise | None, draws: int, seed: int, replicates: int
    ) -> None:
        self._model = model
        self._noise = noise
        self._noise_sd: float | None = None
        self._draws = draws
        self._replicates = replicates
        self._seed = seed % 2**31
        self._device = next((p.device for p in model.parameters()), torch.device("cpu"))

    @property
    def joint_limit(self) -> int | None:
        """4,096: a joint Gaussian costs the cube of it."""
        return 4_096

    @torch.no_grad()
    def marginals(self, combinations: Combinations) -> Marginals:
        """Each row as a t-batch of its own, X of shape (N, 1, 2k + 1)."""
        rows = self._rows(combinations)[:, None]
        blocks = [self._block(rows[i : i + _BLOCK]) for i in range(0, max(len(rows), 1), _BLOCK)]
        means = torch.cat([means for means, _ in blocks], dim=1)
        spreads = [within for _, within in blocks if within is not None]
        return Marginals(means, torch.cat(spreads) if spreads else None, self._noise_of(rows[:1]))

    @torch.no_grad()
    def draws(self, combinations: Combinations) -> Tensor:
        """All rows as one q-batch, X of shape (N, 2k + 1)."""
        posterior = self._model.posterior(self._rows(combinations))
        if isinstance(posterior, EnsemblePosterior):
            drawn = _every_member(posterior)[..., 0]
        elif _is_gaussian(posterior):
            half = self._drawn(posterior, (self._draws + 1) // 2)[..., 0]
            drawn = torch.cat([half, 2 * posterior.mean[..., 0] - half])
        else:
            drawn = self._drawn(posterior, self._draws)[..., 0].flatten(0, -2)
        return drawn.double().cpu()

    def _block(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        posterior = self._model.posterior(rows)
        if isinstance(posterior, EnsemblePosterior):
            return _every_member(posterior)[:, :, 0, 0].double(), None
        if _is_gaussian(posterior):
            within = posterior.variance[:, 0, 0].double().clamp_min(0).sqrt()
            return posterior.mean[:, 0, 0].double()[None], within
        drawn = self._drawn(posterior, self._draws)[..., 0, 0]
        return drawn.reshape(*drawn.shape[:2], -1).transpose(1, 2).flatten(0, 1).double(), None

    def _drawn(self, posterior: Posterior, count: int) -> Tensor:
        shape = torch.Size([count])
        # BoTorch dispatches on the class, and takes more classes than its annotation says.
        drawn: Tensor = get_sampler(posterior, shape, seed=self._seed)(posterior)  # type: ignore[arg-type]
        return drawn

    def _noise_of(self, row: Tensor) -> float:
        """The noise of a mean of wells: by the surrogate, or what its model adds for one."""
        if self._noise_sd is None and self._noise is not None:
            self._noise_sd = float(self._noise.noise_sd()[0])
        if self._noise_sd is None and len(row):
            noisy = self._model.posterior(row, observation_noise=True)
            self._noise_sd = _added_sd(noisy, self._model.posterior(row))
        return (self._noise_sd or 0.0) / math.sqrt(self._replicates)

    def _rows(self, combinations: Combinations) -> Tensor:
        return torch.from_numpy(combinations.features()).to(self._device)


def _is_gaussian(posterior: Posterior) -> TypeGuard[GPyTorchPosterior]:
    mixture = isinstance(posterior, GaussianMixturePosterior)
    return isinstance(posterior, GPyTorchPosterior) and not mixture


def _added_sd(noisy: Posterior, quiet: Posterior) -> float:
    """The noise between two posteriors of one row; 0 unless both are Gaussian."""
    if not (isinstance(noisy, GPyTorchPosterior) and isinstance(quiet, GPyTorchPosterior)):
        return 0.0
    added = noisy.variance[..., 0].mean() - quiet.variance[..., 0].mean()
    return float(added.clamp_min(0).sqrt())


def _every_member(posterior: EnsemblePosterior) -> Tensor:
    """Every member's values, members first; each as often as its weight asks, if they have one."""
    values = posterior.values.movedim(-3, 0)
    weights = posterior.weights
    if bool(torch.allclose(weights, weights[:1])):
        return values
    count = 8 * len(weights)
    middles = (torch.arange(count, dtype=weights.dtype, device=weights.device) + 0.5) / count
    chosen = torch.searchsorted(weights.cumsum(0), middles).clamp_max(len(weights) - 1)
    return values[chosen]
