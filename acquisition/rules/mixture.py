"""Mixture: several acquisitions share a batch, each choosing in turn from what is left."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import cast

import numpy as np

from acquisition.limits.offer import count_left
from acquisition.rules.parts import joined, next_part, whole_parts
from acquisition.scatter import salt_from
from acquisition.settings import Setting
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.domain.nearest import did_you_mean
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import (
    Acquisition,
    BatchRequest,
    Chosen,
    Progress,
    ServesSomeGoals,
    silent,
)

_NAME = "mixture"
_GROUP = "pertloop.acquisitions"
_DRAWS = 256
_EXAMPLE = "such as expected-hits = 0.8, epig = 0.1, random = 0.1"


class Mixture:
    """Give every named acquisition its share of the batch.

    Settings are names and shares, which sum to 1: `expected-hits = 0.8`, `random = 0.2`. A part's
    own settings are written `"expected-hits.pool" = 5000`. Parts choose in the order given: what
    earlier ones chose is taken and pending for later ones, and counts against every limit. Any
    installed acquisition may take part, those of others too.
    """

    def check(self, settings: Mapping[str, Setting]) -> None:
        """Refuse shares that make no whole, names that are not installed, and parts' settings."""
        for part in _parts(settings):
            part.acquisition.check(part.settings)

    def served(self, settings: Mapping[str, Setting]) -> tuple[Goal, ...]:
        """The goals that all parts are for."""
        goals = tuple(Goal)
        for part in _parts(settings):
            if isinstance(part.acquisition, ServesSomeGoals):
                served = part.acquisition.served(part.settings)
                goals = tuple(goal for goal in goals if goal in served)
        return goals

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for every goal that all parts serve; a score is the part's own.

        Shares are rounded to whole choices, the largest remainders up; a part that is left
        without any is not asked.
        """
        parts = _parts(request.settings)
        self.check(request.settings)
        count_left(request)
        sizes = whole_parts([part.share for part in parts], request.size)
        salt = salt_from(rng) if math.isfinite(request.limits.money) else 0
        chosen: list[Chosen] = []
        for part, size in zip(parts, sizes, strict=True):
            if not size:
                continue
            done = sum(len(each.addresses) for each in chosen) / request.size
            asked = replace(next_part(request, chosen, size, salt), settings=part.settings)
            told = _told(progress, done, size / request.size, part.name)
            answer = part.acquisition.choose(asked, rng, told)
            chosen.append(replace(answer, reasons=_by(part, answer.reasons)))
        progress(1.0, f"chose {request.size:,} candidates")
        whole = joined(chosen)
        if any(len(each.values) for each in chosen):
            return replace(whole, values=_values(request, whole.addresses, salt_from(rng)))
        return whole


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    share: float
    acquisition: Acquisition
    settings: Mapping[str, Setting]


def _parts(settings: Mapping[str, Setting]) -> list[_Part]:
    """The parts in the order given.

    Raises:
        InvalidError: If shares are missing or sum to something else, or a name is unknown.
    """
    shares = {name: _share(name, value) for name, value in settings.items() if "." not in name}
    own: dict[str, dict[str, Setting]] = {name: {} for name in shares}
    for key, value in settings.items():
        name, dot, setting = key.partition(".")
        if dot and name not in own:
            msg = (
                f"Setting {key!r} of acquisition {_NAME!r} is for {name!r}, which has no share; "
                f"add {name} = SHARE.{did_you_mean(name, own)}"
            )
            raise InvalidError(msg)
        if dot:
            own[name][setting] = value
    if not shares or not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-6):
        msg = (
            f"The shares of acquisition {_NAME!r} sum to {sum(shares.values()):g}; name "
            f"acquisitions with shares that sum to 1, {_EXAMPLE}."
        )
        raise InvalidError(msg)
    return [_Part(name, share, _installed(name), own[name]) for name, share in shares.items()]


def _share(name: str, value: Setting) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        _installed(name)
        msg = (
            f"Share {name!r} of acquisition {_NAME!r} is {value!r}; it must be a number above 0 "
            f"and at most 1, {_EXAMPLE}."
        )
        raise InvalidError(msg)
    return float(value)


def _installed(name: str) -> Acquisition:
    """An acquisition by the name of its entry point."""
    known = {point.name: point for point in entry_points(group=_GROUP)}
    if name not in known or name == _NAME:
        listed = ", ".join(sorted(set(known) - {_NAME}))
        msg = (
            f"Acquisition {_NAME!r} cannot hold {name!r}: its settings are the names of "
            f"acquisitions with their shares, {_EXAMPLE}.{did_you_mean(name, known)} It can "
            f"hold: {listed}."
        )
        raise InvalidError(msg)
    return cast("type[Acquisition]", known[name].load())()


def _by(part: _Part, reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"Chosen by {part.name} ({100 * part.share:.3g} % of the batch): {reason}"
        for reason in reasons
    )


def _values(request: BatchRequest, addresses: IntArray, seed: int) -> FloatArray:
    """What the whole batch is worth in each joint draw, shape (S,)."""
    # Parts may do without torch, and then so does the mixture.
    from acquisition.belief.beliefs import beliefs_of
    from acquisition.choosing.batch_value import batch_values

    chosen = request.space.unrank(addresses)
    beliefs = beliefs_of(request.surrogate, _DRAWS, seed, request.replicates)
    [marginals] = beliefs.marginals(chosen)
    return batch_values(request, beliefs.draws(chosen)[..., 0], marginals.noise_sd)


def _told(progress: Progress, done: float, span: float, name: str) -> Progress:
    return lambda share, doing: progress(min(done + 0.99 * share * span, 0.99), f"{name}: {doing}")
