"""A name for everything that the answer of a scan hangs on."""

import hashlib
from collections.abc import Iterable

import numpy as np
import torch

from acquisition.scanning.found import Keeping
from acquisition.scanning.pool import Question, Utility
from acquisition.scatter import scattered
from loop.ports.engine import BatchRequest, TiledSpace

_PREDICTIONS = 64
_PERMISSIONS = 4_096


@torch.no_grad()
def fingerprint(
    ask: Question,
    keeping: Keeping,
    utility: Utility,
    favourites: Utility | None,
    tiles: tuple[object, ...],
) -> str:
    """Name a scan, SHA-256 in hex: the same name, the same answer.

    Neither surrogate nor rule can be read from outside. So they are asked what they make of a few
    dozen addresses, always the same; and of the space's constraints, besides how many addresses
    they leave, what they say of a few thousand. `tiles` is what else decides how tiles are rated.
    """
    request, digest = ask.request, hashlib.sha256()
    for part in _parts(ask, keeping, tiles):
        digest.update(part)
    marginals = ask.beliefs.marginals(request.space.unrank(_some(request, _PREDICTIONS)))
    ratings = [each(marginals) for each in (utility, favourites) if each is not None]
    for asked in [*(each.means for each in marginals), *ratings]:
        digest.update(asked.double().cpu().numpy().tobytes())
    return digest.hexdigest()


def _parts(ask: Question, keeping: Keeping, tiles: tuple[object, ...]) -> Iterable[bytes]:
    request, limits = ask.request, ask.request.limits
    space = request.space
    yield f"{keeping} {tiles} {len(space)} {space.on_offer()} {torch.__version__}".encode()
    if isinstance(space, TiledSpace):
        yield f"{space.sections()}".encode()
        yield np.concatenate([space.items.components, space.items.levels]).tobytes()
    yield ask.excluded.tobytes()
    some = space.unrank(_some(request, _PERMISSIONS))
    yield space.permitted(some).tobytes() + ask.limits.allowed(some).tobytes()
    yield ask.limits.charged(np.zeros(len(some)), some).tobytes()
    yield f"{limits.max_uses} {limits.well_cost} {limits.money} {limits.diversity}".encode()
    yield limits.uses.tobytes() + limits.costs.tobytes()
    for group in limits.groups:
        yield f"{group.name} {group.at_least} {group.at_most}".encode() + group.members.tobytes()


def _some(request: BatchRequest, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The same addresses every time, from all over the space."""
    total = len(request.space)
    return (scattered(np.arange(count), 0) % np.uint64(max(total, 1))).astype(np.int64)[:total]
