"""Choosing blindly within limits: among candidates drawn by lot, where there are too many."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from loop.ports.engine import Acquisition, BatchRequest, Chosen, Progress, silent
from loop.space import ListedSpace, draw

_WALKED = 2**18
_DRAWN = 50_000


class AmongDrawn:
    """An acquisition that sees 50,000 candidates drawn by lot of a space that holds more.

    Limits that only few candidates keep would make a walk through 10^8 of them out of a draw;
    for who rates nothing a draw is as good as the whole.
    """

    def __init__(self, acquisition: Acquisition) -> None:
        """Stand before an acquisition that looks at no belief."""
        self._acquisition = acquisition

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse what it would refuse."""
        self._acquisition.check(settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """What it chooses of the draw.

        Raises:
            NotEnoughCandidatesError: If the limits leave too few of the draw.
        """
        space = request.space
        if len(space) <= _WALKED:
            return self._acquisition.choose(request, rng, progress)
        left = space.on_offer() - len(request.taken)
        drawn = draw(space, min(left, _DRAWN), request.taken, rng).addresses
        listed = ListedSpace(space.unrank(drawn))
        nothing = np.zeros(0, dtype=np.int64)
        chosen = self._acquisition.choose(
            replace(request, space=listed, taken=nothing), rng, progress
        )
        return replace(chosen, addresses=drawn[chosen.addresses])
