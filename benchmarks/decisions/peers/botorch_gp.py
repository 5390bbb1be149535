"""BoTorch's own Gaussian process, with marginal LogEI or by its mean alone."""

import warnings

import numpy as np

from benchmarks.decisions.peer import Forecast, PeerProblem, desire, is_two_sided, sign_of
from benchmarks.decisions.peers.features import of_urs
from benchmarks.decisions.peers.ranking import best
from loop.ports.arrays import BoolArray, IntArray, TrainingSet

_COMPONENTS = 16
_CHUNK = 4_096


class BotorchProcess:
    """`SingleTaskGP` with its defaults, on the columns of 16 principal components of the URs.

    A batch is the q candidates of largest `LogExpectedImprovement`, each by itself: choosing
    jointly with qLogEI over a list takes about 17 hours for 128 of 100,000 (evidence C).
    """

    def __init__(self, problem: PeerProblem, by_mean: bool) -> None:
        """Describe every candidate once, in the unit cube."""
        self._problem, self._by_mean = problem, by_mean
        columns = of_urs(problem, _COMPONENTS).astype(np.float64)
        low, high = columns.min(axis=0), columns.max(axis=0)
        varies = high > low
        self._columns = (columns[:, varies] - low[varies]) / (high - low)[varies]
        self._mean = np.zeros(len(columns))
        self._sd = np.ones(len(columns))
        self._scores = self._mean

    def learn(self, measured: TrainingSet, addresses: IntArray, rng: np.random.Generator) -> None:
        """Fit by marginal likelihood, and predict every candidate."""
        import torch
        from botorch.acquisition.analytic import LogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        wanted = desire(measured.values[:, 0], self._problem.goal, self._problem.readout)
        x = torch.from_numpy(self._columns)
        y = torch.from_numpy(wanted)[:, None]
        torch.manual_seed(int(rng.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            process = SingleTaskGP(x[addresses], y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(process.likelihood, process))
        blocks = [slice(at, at + _CHUNK) for at in range(0, len(x), _CHUNK)]
        with torch.no_grad():
            found = [process.posterior(x[block]) for block in blocks]
            self._mean = torch.cat([each.mean[:, 0] for each in found]).numpy()
            variance = torch.cat([each.variance[:, 0] for each in found])
            noisy = process.posterior(x[:1], observation_noise=True).variance - variance[0]
            if not self._by_mean:
                improvement = LogExpectedImprovement(process, self._mean[addresses].max())
                rated = [improvement(x[block][:, None]) for block in blocks]
                self._scores = torch.cat(rated).numpy()
        self._sd = (variance.clamp_min(0.0) + max(float(noisy), 0.0)).sqrt().numpy()

    def choose(self, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
        """The largest means, or the largest expected improvements on the best mean so far."""
        return best(self._mean if self._by_mean else self._scores, left, size, rng)

    def forecast(self) -> Forecast | None:
        """The posterior with its noise, where the readout itself is what was learned."""
        goal, readout = self._problem.goal, self._problem.readout
        if is_two_sided(goal, readout):
            return None
        return Forecast(sign_of(goal, readout) * self._mean, self._sd)


def by_log_ei(problem: PeerProblem) -> BotorchProcess:
    """The q best by marginal LogEI."""
    return BotorchProcess(problem, by_mean=False)


def by_mean(problem: PeerProblem) -> BotorchProcess:
    """The q best by posterior mean."""
    return BotorchProcess(problem, by_mean=True)
