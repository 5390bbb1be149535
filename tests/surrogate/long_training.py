"""A training of some seconds, in a process that a test may kill.

`python -m tests.surrogate.long_training CHECKPOINTS STATE [STEPS]` writes the share of the first
progress and a hash of the state to the file STATE.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from loop.contracts.surrogate import observations, problem
from surrogate.ensemble import Ensemble


def main(folder: str, answer: str, steps: int = 1_500) -> None:
    """Fit, fit again from there, and say what came of it."""
    asked = replace(problem(members=4, steps=steps), checkpoint=Path(folder))
    ensemble = Ensemble(asked)
    shares: list[float] = []
    ensemble.fit(observations(20), np.random.default_rng(1))
    ensemble.fit(observations(40), np.random.default_rng(2), lambda share, _: shares.append(share))
    digest = hashlib.sha256()
    state = ensemble.state()
    for name in sorted(state.arrays):
        digest.update(name.encode() + state.arrays[name].tobytes())
    Path(answer).write_text(f"{shares[0]} {digest.hexdigest()} {state.settings}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
