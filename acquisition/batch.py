"""Stage two: choose the batch jointly among the best, one candidate after the other."""

from collections.abc import Mapping

import numpy as np

from acquisition.belief.beliefs import Beliefs, beliefs_of
from acquisition.belief.sound_draws import sound
from acquisition.cascade.cascade import Effort
from acquisition.choosing.batch_value import batch_values
from acquisition.choosing.contributions import contributions
from acquisition.choosing.fill import Filled, Filler
from acquisition.choosing.reasons import reasons, shares_brought
from acquisition.choosing.rule import Rule
from acquisition.limits.offer import Survey, count_left
from acquisition.scan import Scan
from acquisition.scatter import salt_from
from acquisition.settings import Number
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import BatchRequest, Chosen, Progress

__all__ = ["SCANNING", "Rule", "choose_batch"]

SCANNING: Mapping[str, Number] = {
    "pool": Number(0, 0),
    "shard": Number(32_768, 1),
    "scan_limit": Number(20_000_000, 1),
    "draws": Number(0, 0),
    "bf16": Number(0, 0, 1),
    "recall": Number(0.99, 0.0, 1.0),
}
"""Settings of every acquisition that scans: K (0: 5 q, at least 2,000), candidates rated at
once, how many addresses the surrogate rates at most, and joint draws from a surrogate without
members, or mixtures of members where it has fewer than 4 q (0: 4 q, from 128 to 1,024); `bf16` 1
narrows the space down in that precision, where the surrogate knows tiles. In a space larger than
`scan_limit` students say what is worth rating, until the share `recall` of the best is found: at
most `scan_limit` candidates are then let through, and no more than 2,000,000; whole rows in tiles
may add as many again, and so may small sections that are looked at in full. What is drawn to teach
and to audit students comes on top: up to five audits of a quarter of `scan_limit` and 100,000 at
most each, and for every section at least 2,000 candidates, and every item with 8 to 48 landmarks,
then with up to 96 and 192 where the recall is hard to reach."""


def choose_batch(
    request: BatchRequest,
    rule: Rule,
    settings: Mapping[str, float],
    rng: np.random.Generator,
    progress: Progress,
) -> Chosen:
    """Scan the space, then choose greedily among the K best; pending wells are believed.

    Where the limits let the K best run out before the batch is full, the space is scanned
    again, for four times as many, without the candidates that there is no room for any more:
    for a rule without `joint` the answer is that of a greedy choice over the whole space.
    A greedy choice under `max_uses` may end where another order of choosing would have gone on;
    it is then refused, not repaired. Where the plain choice costs too much, price counts against
    utility at the rate that makes the best of the money (`within_money.py`).

    Returns:
        The batch in the order chosen; a score is what the candidate added when it was chosen.

    Raises:
        NotEnoughCandidatesError: If fewer are on offer, or the limits leave fewer.
        IncompatibleError: If the surrogate gives no BoTorch `Model`, or no finite numbers.
    """
    left = count_left(request)
    scan = Scan(
        Survey(len(request.space), int(settings["scan_limit"]), salt_from(rng)),
        int(settings["shard"]),
        salt_from(rng),
        rule.utility,
        rule.favourites,
        "bf16" if settings["bf16"] else "float32",
        effort=Effort(recall=settings["recall"]).within(int(settings["scan_limit"])),
    )
    draws = int(settings["draws"]) or min(max(4 * request.size, 128), 1_024)
    salt = salt_from(rng)
    beliefs = beliefs_of(request.surrogate, draws, salt, request.replicates, rule.readouts)
    size = int(settings["pool"]) or max(5 * request.size, 2_000)
    filled = Filler(request, rule, scan, beliefs, draws, salt).fill(size, progress)
    progress(1.0, f"chose {request.size:,} candidates")
    return _answer(request, rule, beliefs, filled, _among(filled.picks.scanned, left, scan.survey))


def _answer(
    request: BatchRequest, rule: Rule, beliefs: Beliefs, filled: Filled, among: str
) -> Chosen:
    """Say of every choice what it is worth, and why it was chosen."""
    picks, field = filled.picks, filled.field
    addresses, scores = picks.array(), np.array(picks.scores, dtype=np.float64)
    marginals = beliefs.marginals(request.space.unrank(addresses))
    shares = contributions(scores, rule.scale, field.typical)
    why = reasons(
        request.readouts[rule.readouts[0]],
        marginals[0],
        rule.clause(marginals),
        picks.ranks,
        picks.listed,
        among,
        shares_brought(shares, rule.brings),
    )
    return Chosen(
        addresses,
        scores,
        why,
        np.array(picks.ranks, dtype=np.int64),
        shares,
        field.pool.notes + filled.keeper.notes(field.passed_over(picks)),
        _values(request, rule, beliefs, addresses, marginals[0].noise_sd),
    )


def _values(
    request: BatchRequest, rule: Rule, beliefs: Beliefs, addresses: IntArray, noise_sd: float
) -> FloatArray:
    limit = beliefs.joint_limit
    if rule.readouts[0] != 0 or (limit is not None and len(addresses) > limit):
        return np.zeros(0)
    draws = sound(beliefs.draws(request.space.unrank(addresses)))
    return batch_values(request, draws[..., 0], noise_sd)


def _among(scanned: int, left: int, survey: Survey) -> str:
    if survey.is_whole or scanned == left:
        return f"{scanned:,} candidates"
    return f"the {scanned:,} candidates scanned, drawn at random from {left:.1e}"
