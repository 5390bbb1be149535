"""What measuring a candidate would tell of the whole library, about each readout."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from acquisition.batch import Rule, choose_batch
from acquisition.belief.beliefs import beliefs_of
from acquisition.belief.marginals import Marginals
from acquisition.choosing.gains import Gains
from acquisition.choosing.reasons import doubt_clauses
from acquisition.limits.offer import Survey
from acquisition.rules.foreseen import Foreseen, centred, gone
from acquisition.scatter import salt_from
from loop.ports.arrays import Combinations, FloatArray
from loop.ports.engine import BatchRequest, CandidateSpace, Chosen, Progress


class MapGains(Gains, Protocol):
    """Gains about the judged candidates, of one readout."""

    def foresee(self, column: Tensor) -> None:
        """Foresee a measurement of something with these centred draws, shape (S,)."""
        ...


Measure = Callable[[float, Tensor, Tensor], MapGains]
"""Builds the gains from the noise SD and draws of the judged, (S, n), and of the pool, (S, K)."""

Weigh = Callable[[Tensor, float], Tensor]
"""The weight of each judged candidate, shape (n,), from variances, shape (n,), and noise SD."""


@dataclass(frozen=True, slots=True)
class _Glance:
    """What stage one knows of one readout: covariances with the judged, weighed and summed.

    With draws x of a candidate, x' `about` x is the sum over the judged of their weights times
    the square of their covariance with it, and x' `after` x its variance, both once pending wells
    have told what they can: a candidate costs O(S^2) whatever n is.
    """

    about: Tensor
    after: Tensor

    @classmethod
    def of(cls, judged: Marginals, pending: Marginals, weigh: Weigh) -> "_Glance":
        """From the judged, whose weights may depend on how much is known of them."""
        foreseen = Foreseen(judged.noise_sd, pending.means)
        for column in foreseen.pool.T.clone():
            direction = foreseen.direction(column)
            if direction is not None:
                foreseen.condition(direction)
        left = foreseen.after @ centred(judged.means)
        weights = weigh((centred(judged.means) * left).sum(dim=0), judged.noise_sd)
        return cls((left * weights) @ left.T, foreseen.after)

    def rate(self, beliefs: Marginals) -> Tensor:
        """First-order gain of each candidate by itself, shape (N,)."""
        columns = centred(beliefs.means)
        told = (columns * (self.about @ columns)).sum(dim=0)
        left = (columns * (self.after @ columns)).sum(dim=0)
        gains = told / (left + beliefs.noise_sd**2).clamp_min(1e-300)
        return gains.masked_fill(gone(left, columns.square().sum(dim=0)), 0.0)


def choose_for_the_map(
    request: BatchRequest,
    settings: dict[str, float],
    measure: Measure,
    weigh: Weigh,
    rng: np.random.Generator,
    progress: Progress,
) -> Chosen:
    """Choose the batch that tells most of `settings["judged"]` candidates drawn uniformly.

    Those measured already are among the judged: the map is the whole library. Every readout
    counts alike. Stage one rates a candidate by what it tells by itself, to first order, if the
    surrogate has members; otherwise by the surrogate's doubt of it.
    """
    judged = drawn_evenly(request.space, int(settings["judged"]), rng)
    readouts = tuple(range(len(request.readouts)))
    beliefs = beliefs_of(request.surrogate, 2, 0, request.replicates, readouts)
    asked, pending = beliefs.marginals(judged), beliefs.marginals(request.pending)
    noises = [each.noise_sd for each in asked]
    pairs = zip(asked, pending, strict=True) if asked[0].within is None else ()
    glances = [_Glance.of(*pair, weigh) for pair in pairs]

    def utility(rated: tuple[Marginals, ...]) -> Tensor:
        if not glances:
            return torch.stack([each.epistemic_sd for each in rated]).mean(dim=0)
        gains = [glance.rate(each) for glance, each in zip(glances, rated, strict=True)]
        return torch.stack(gains).mean(dim=0)

    def joint(_: float, before: Tensor, pool: Tensor) -> Gains:
        about, expected = before[:, : len(judged)], before[:, len(judged) :]
        parts = [measure(noise, about[..., at], pool[..., at]) for at, noise in enumerate(noises)]
        for at, part in enumerate(parts):
            for column in centred(expected[..., at]).T:
                part.foresee(column)
        return _Mean(parts)

    rule = Rule(
        utility,
        clause=lambda chosen: doubt_clauses(chosen[0], request.readout.unit),
        joint=joint,
        readouts=readouts,
        brings="gain for the whole library",
        # Mixtures have the covariance of the members, which is all that is looked at.
        mixes=False,
    )
    # The draws of the judged have to be joint with those of the pool, as those of what is pending
    # are; so they travel in front of it.
    beside = replace(request, pending=Combinations.joined([judged, request.pending]))
    return choose_batch(beside, rule, settings, rng, progress)


def drawn_evenly(space: CandidateSpace, count: int, rng: np.random.Generator) -> Combinations:
    """About `count` distinct permitted perturbations, spread evenly over the addresses.

    All of them where there are no more.
    """
    looked_at = -(-count * len(space) // max(space.on_offer(), 1))
    survey = Survey(len(space), looked_at, salt_from(rng))
    found = space.unrank(survey.addresses(0, len(survey)))
    return found[space.permitted(found)]


class _Mean:
    """The mean of the gains of several readouts."""

    def __init__(self, parts: Sequence[MapGains]) -> None:
        self._parts = parts

    def values(self) -> FloatArray:
        """Shape (K,)."""
        return np.asarray(np.mean([part.values() for part in self._parts], axis=0))

    def add(self, position: int) -> None:
        """One well tells of every readout."""
        for part in self._parts:
            part.add(position)
