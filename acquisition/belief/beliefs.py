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

from acquisition.belief.finite import check_finite
from acquisition.belief.marginals import Marginals
from acquisition.belief.member_rater import Tiling
from acquisition.belief.scannable import KnowsNoise, Scannable, Tileable
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import Combinations
from loop.ports.engine import Surrogate, TiledSpace

_BLOCK = 1_024
"""Rows a BoTorch model is asked at once: a GP forms a (rows, training wells) matrix for them."""


class Beliefs(Protocol):
    """Beliefs about the readouts that a rule asks for, one by one and jointly; R readouts."""

    @property
    def joint_limit(self) -> int | None:
        """How many candidates `draws` should be asked for; None: memory is the limit."""
        ...

    def marginals(self, combinations: Combinations) -> tuple[Marginals, ...]:
        """Each candidate by itself, R beliefs."""
        ...

    def draws(self, combinations: Combinations) -> Tensor:
        """S joint realisations, shape (S, N, R), float64 on the CPU."""
        ...

    def tiling(self, space: TiledSpace, precision: str) -> Tiling | None:
        """The same beliefs tile by tile, in float32 or bf16; None: they come one by one only."""
        ...


def beliefs_of(
    surrogate: Surrogate,
    draws: int,
    seed: int,
    replicates: int = 1,
    readouts: tuple[int, ...] = (0,),
) -> Beliefs:
    """The fastest way to ask this surrogate: its members, or its BoTorch posterior.

    `draws` and `seed` matter only for a posterior that has no members. A candidate is measured
    in `replicates` wells, so that its noise is that of their mean.

    Raises:
        IncompatibleError: If it has neither members nor a BoTorch `Model`.
    """
    if isinstance(surrogate, Scannable):
        return MemberBeliefs(surrogate, replicates, readouts)
    model = surrogate.model()
    if not isinstance(model, Model):
        msg = (
            f"The surrogate gives a {type(model).__name__} where a botorch Model is needed; "
            "choose another surrogate, or acquisition 'random'."
        )
        raise IncompatibleError(msg)
    noise = surrogate if isinstance(surrogate, KnowsNoise) else None
    return PosteriorBeliefs(model, noise, draws, seed, replicates, readouts)


class MemberBeliefs:
    """The beliefs of a surrogate with members."""

    def __init__(
        self, surrogate: Scannable, replicates: int, readouts: tuple[int, ...] = (0,)
    ) -> None:
        self._surrogate = surrogate
        self._readouts = readouts
        noise = surrogate.noise_sd().double() / math.sqrt(replicates)
        self._noise_sds = [float(noise[readout]) for readout in readouts]

    @property
    def joint_limit(self) -> int | None:
        """None: a draw costs no more than a prediction."""
        return None

    @torch.no_grad()
    def marginals(self, combinations: Combinations) -> tuple[Marginals, ...]:
        """One component a member."""
        means = self._surrogate.member_means(combinations).double()
        check_finite(means, combinations)
        return tuple(
            Marginals(means[..., readout], None, noise)
            for readout, noise in zip(self._readouts, self._noise_sds, strict=True)
        )

    def draws(self, combinations: Combinations) -> Tensor:
        """The members are the draws."""
        return torch.stack([each.means for each in self.marginals(combinations)], dim=-1).cpu()

    def tiling(self, space: TiledSpace, precision: str) -> Tiling | None:
        """By the surrogate's tiler, if it has one for this space."""
        if not isinstance(self._surrogate, Tileable):
            return None
        tiler = self._surrogate.tiler(space.items, self._readouts, precision)
        if tiler is None:
            return None
        none = space.items[:0]
        device = self._surrogate.member_means(none).device
        return Tiling(tiler, space.items, tuple(self._noise_sds), device)


class PosteriorBeliefs:
    """The beliefs of a BoTorch model, through its posterior.

    Members of an `EnsemblePosterior` are all taken, each once: BoTorch's `IndexSampler` would
    rank candidates by different members. A Gaussian posterior gives mean and variance, and
    joint draws in pairs mirrored at the mean, so that maximising y and minimising -y see the
    same draws. Any other posterior is drawn from by the sampler that BoTorch has for it.
    """

    def __init__(
        self,
        model: Model,
        noise: KnowsNoise | None,
        draws: int,
        seed: int,
        replicates: int,
        readouts: tuple[int, ...] = (0,),
    ) -> None:
        self._model = model
        self._noise = noise
        self._noise_sds: list[float] = []
        self._readouts = list(readouts)
        self._draws = draws
        self._replicates = replicates
        self._seed = seed % 2**31
        self._device = next((p.device for p in model.parameters()), torch.device("cpu"))

    @property
    def joint_limit(self) -> int | None:
        """4,096: a joint Gaussian costs the cube of it."""
        return 4_096

    @torch.no_grad()
    def marginals(self, combinations: Combinations) -> tuple[Marginals, ...]:
        """Each row as a t-batch of its own, X of shape (N, 1, 2k + 1)."""
        rows = self._rows(combinations)[:, None]
        blocks = [self._block(rows[i : i + _BLOCK]) for i in range(0, max(len(rows), 1), _BLOCK)]
        means = torch.cat([means for means, _ in blocks], dim=1)
        spreads = [within for _, within in blocks if within is not None]
        within = torch.cat(spreads) if spreads else None
        for each in (means, within[None]) if within is not None else (means,):
            check_finite(each, combinations)
        return tuple(
            Marginals(means[..., at], None if within is None else within[:, at], noise)
            for at, noise in enumerate(self._noise_of(rows[:1]))
        )

    @torch.no_grad()
    def draws(self, combinations: Combinations) -> Tensor:
        """All rows as one q-batch, X of shape (N, 2k + 1)."""
        posterior = self._model.posterior(self._rows(combinations))
        if isinstance(posterior, EnsemblePosterior):
            drawn = _every_member(posterior)
        elif _is_gaussian(posterior):
            half = self._drawn(posterior, (self._draws + 1) // 2)
            drawn = torch.cat([half, 2 * posterior.mean - half])
        else:
            drawn = self._drawn(posterior, self._draws).flatten(0, -3)
        return drawn[..., self._readouts].double().cpu()

    def tiling(self, space: TiledSpace, precision: str) -> None:
        """None: a posterior knows no tiles."""

    def _block(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        posterior = self._model.posterior(rows)
        wanted = self._readouts
        if isinstance(posterior, EnsemblePosterior):
            return _every_member(posterior)[:, :, 0, wanted].double(), None
        if _is_gaussian(posterior):
            within = posterior.variance[:, 0, wanted].double().clamp_min(0).sqrt()
            return posterior.mean[:, 0, wanted].double()[None], within
        drawn = self._drawn(posterior, self._draws)[..., 0, wanted]
        # (draws, N, components, R) or (draws, N, R): components are draws as well.
        drawn = drawn.reshape(*drawn.shape[:2], -1, len(wanted))
        return drawn.transpose(1, 2).flatten(0, 1).double(), None

    def _drawn(self, posterior: Posterior, count: int) -> Tensor:
        shape = torch.Size([count])
        # BoTorch dispatches on the class, and takes more classes than its annotation says.
        drawn: Tensor = get_sampler(posterior, shape, seed=self._seed)(posterior)  # type: ignore[arg-type]
        return drawn

    def _noise_of(self, row: Tensor) -> list[float]:
        """The noise of a mean of wells: by the surrogate, or what its model adds for one."""
        if not self._noise_sds and self._noise is not None:
            self._noise_sds = self._noise.noise_sd()[self._readouts].tolist()
        if not self._noise_sds and len(row):
            noisy = self._model.posterior(row, observation_noise=True)
            added = _added_sds(noisy, self._model.posterior(row), self._model.num_outputs)
            self._noise_sds = [added[readout] for readout in self._readouts]
        known = self._noise_sds or [0.0] * len(self._readouts)
        return [sd / math.sqrt(self._replicates) for sd in known]

    def _rows(self, combinations: Combinations) -> Tensor:
        return torch.from_numpy(combinations.features()).to(self._device)


def _is_gaussian(posterior: Posterior) -> TypeGuard[GPyTorchPosterior]:
    mixture = isinstance(posterior, GaussianMixturePosterior)
    return isinstance(posterior, GPyTorchPosterior) and not mixture


def _added_sds(noisy: Posterior, quiet: Posterior, readouts: int) -> list[float]:
    """The noise of each readout between two posteriors of one row; 0 unless both are Gaussian."""
    if not (isinstance(noisy, GPyTorchPosterior) and isinstance(quiet, GPyTorchPosterior)):
        return [0.0] * readouts
    added = (noisy.variance - quiet.variance).flatten(0, -2).mean(dim=0)
    sds: list[float] = added.clamp_min(0).sqrt().tolist()
    return sds


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
