"""Requests over the small space."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations
from loop.ports.engine import BatchRequest, Limits
from tests.acquisition.linear_draws import LinearDraws
from tests.acquisition.small_space import SmallSpace

TAKEN = (0, 3, 7, 8, 20, 41, 71)
"""Addresses of the small space; 0 is a forbidden pair as well."""


def ask(goal: Goal = Goal.FIND_HITS, sign: float = 1.0, **changes: Any) -> BatchRequest:
    """Four wells of the small space, two pending; `sign` -1 asks the same of the negated world.

    `readout`, `max_uses` and `uses` are short for `readouts` and `limits`.
    """
    space = SmallSpace()
    thresholds = sorted([-1.5 * sign, 2.0 * sign])
    settings: Mapping[str, str | int | float | bool] = {}
    fields: dict[str, Any] = {
        "space": space,
        "taken": np.array(TAKEN, dtype=np.int64),
        "surrogate": LinearDraws(sign=sign),
        "goal": goal,
        "readouts": (Readout("gi", unit="sd", low=thresholds[0], high=thresholds[1]),),
        "best": sign * 2.5,
        "pending": space.unrank(np.array([3, 41])),
        "size": 4,
        "limits": Limits(uses=np.zeros(space.perturbagens, dtype=np.int64)),
        "settings": settings,
    }
    if "readout" in changes:
        fields["readouts"] = (changes.pop("readout"),)
    for limit in ("max_uses", "uses"):
        if limit in changes:
            fields["limits"] = replace(fields["limits"], **{limit: changes.pop(limit)})
    return BatchRequest(**(fields | changes))


def nothing_pending() -> Combinations:
    """No perturbations."""
    return SmallSpace().unrank(np.empty(0, dtype=np.int64))
