"""A small screen that has something to learn: pairs whose effect follows from the embeddings."""

from itertools import combinations

import numpy as np

from loop.domain.goal import Goal
from loop.ports.arrays import Representations
from loop.ports.engine import Compute
from loop.replay.campaign import Plan, Replay, Strategy
from loop.replay.question import Asked, ask
from loop.screen import Columns, Screen, read_screen
from loop.tables import Table

GENES = tuple(f"g{number:02d}" for number in range(20))
QUICK = {"members": 4, "steps": 40}
"""Settings with which an ensemble learns little, and quickly."""


def vectors() -> np.ndarray:
    """URs of the genes, shape (20, 4)."""
    return np.random.default_rng(5).normal(size=(len(GENES), 4))


def screen() -> Screen:
    """All 190 pairs, with a bilinear effect and a little noise."""
    known, rng = vectors(), np.random.default_rng(6)
    rows = []
    for a, b in combinations(range(len(GENES)), 2):
        effect = known[a] @ known[b] / 2 + known[a, 0] + known[b, 0] + rng.normal(scale=0.2)
        rows.append((GENES[a], GENES[b], f"{effect:.6f}"))
    table = Table("synthetic", ("a", "b", "gi"), tuple(rows))
    return read_screen(table, Columns(("a", "b"), "gi"))


def asked(of: Screen) -> Asked:
    """The largest 10 % are hits."""
    return ask(of, "gi", Goal.FIND_HITS, top=0.1)


def replay(of: Screen, question: Asked, plan: Plan) -> Replay:
    """Ready to run on one CPU thread."""
    representations = Representations(
        vectors(), np.ones(len(GENES), dtype=np.bool_), np.eye(1), np.zeros((len(GENES), 1))
    )
    return Replay(of, question, representations, plan, Compute(threads=1))


def strategy(surrogate: str, acquisition: str) -> Strategy:
    """Quick settings for the ensemble; the others have none."""
    return Strategy(surrogate, acquisition, QUICK if surrogate == "ensemble" else {}, {})
