"""Stage two: choose the batch jointly among the best, one candidate after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from acquisition.beliefs import Beliefs, beliefs_of
from acquisition.contributions import Scale
from acquisition.gains import FixedGains, Gains
from acquisition.keeper import Keeper
from acquisition.marginals import Marginals
from acquisition.offer import Survey, count_left, ran_short
from acquisition.reasons import reasons
from acquisition.scan import Pool, Scan, Utility
from acquisition.scatter import salt_from
from acquisition.settings import Number
from loop.ports.arrays import Combinations
from loop.ports.engine import BatchRequest, Chosen, Progress

SCANNING: Mapping[str, Number] = {
    "pool": Number(0, 0),
    "shard": Number(32_768, 1),
    "scan_limit": Number(20_000_000, 1),
    "draws": Number(0, 0),
}
"""Settings of every acquisition that scans: K (0: 5 q, at least 2,000), candidates rated at
once, how many addresses are scanned at most, and joint draws from a surrogate without members
(0: 4 q, from 128 to 1,024)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to rate candidates.

    Attributes:
        utility: Rates each by itself, shape (N,); larger is better.
        clause: Says the same of each in words that follow the prediction, or nothing.
        favourites: Rates each for every member, shape (S, N), where stage two would miss what
            only some members like; None where it would not.
        joint: Builds the gains from the noise SD of the first readout and joint draws of what is
            pending or chosen already, shape (S, C, R), and of the pool, shape (S, K, R). None: the
            utilities. Gains that only shrink should be `ShrinkingGains`: they are chosen from
            without looking at them all.
        readouts: Which R readouts are asked for, by their place.
        scale: What the scores mean where they are added up.
        brings: What the batch's value is called in a sentence, such as "expected hits"; empty:
            nothing is said of it.
        mixes: Whether `joint` may be given random mixtures of the members where there are fewer
            than 4 q of them; where not, it gets the members as they are.
    """

    utility: Utility
    clause: Callable[[tuple[Marginals, ...]], Sequence[str]]
    favourites: Utility | None = None
    joint: Callable[[float, Tensor, Tensor], Gains] | None = None
    readouts: tuple[int, ...] = (0,)
    scale: Scale = Scale.AMOUNT
    brings: str = ""
    mixes: bool = True


@dataclass(slots=True)
class _Picks:
    """The batch so far, in the order chosen; and, of the first scan, how much was rated and kept.

    `listed` is the rank of the last that the first scan kept.
    """

    addresses: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    scanned: int = 0
    listed: int = 0


def choose_batch(
    request: BatchRequest,
    rule: Rule,
    settings: Mapping[str, float],
    rng: np.random.Generator,
    progress: Progress,
) -> Chosen:
    """Scan the space, then choose greedily among the K best; pending wells are believed.

    Where `max_uses` lets the K best run out before the batch is full, the space is scanned
    again, for four times as many, without the candidates that there is no room for any more:
    for a rule without `joint` the answer is that of a greedy choice over the whole space.
    A greedy choice under `max_uses` may end where another order of choosing would have gone on;
    it is then refused, not repaired.

    Returns:
        The batch in the order chosen; a score is what the candidate added when it was chosen.

    Raises:
        NotEnoughCandidatesError: If fewer are on offer, or `max_uses` leaves fewer.
        IncompatibleError: If the surrogate gives no BoTorch `Model`, or no finite numbers.
    """
    left = count_left(request)
    scan = Scan(
        Survey(len(request.space), int(settings["scan_limit"]), salt_from(rng)),
        int(settings["shard"]),
        salt_from(rng),
        rule.utility,
        rule.favourites,
    )
    draws = int(settings["draws"]) or min(max(4 * request.size, 128), 1_024)
    beliefs = beliefs_of(
        request.surrogate, draws, salt_from(rng), request.replicates, rule.readouts
    )
    size = int(settings["pool"]) or max(5 * request.size, 2_000)
    picks = _fill(request, rule, scan, beliefs, size, progress)
    progress(1.0, f"chose {request.size:,} candidates")
    addresses = np.array(picks.addresses, dtype=np.int64)
    marginals = beliefs.marginals(request.space.unrank(addresses))
    clauses, among = rule.clause(marginals), _among(picks.scanned, left, scan.survey)
    return Chosen(
        addresses,
        np.array(picks.scores, dtype=np.float64),
        reasons(request.readout, marginals[0], clauses, picks.ranks, picks.listed, among),
    )


def _fill(
    request: BatchRequest,
    rule: Rule,
    scan: Scan,
    beliefs: Beliefs,
    size: int,
    progress: Progress,
) -> _Picks:
    """Scan and choose, as often as `max_uses` makes it necessary."""
    limits, picks = Keeper(request.limits), _Picks()
    done, span = 0.0, 0.9
    while len(picks.addresses) < request.size:
        if rule.joint is not None and beliefs.joint_limit is not None:
            size = min(size, beliefs.joint_limit)
        excluded = np.union1d(request.taken, np.array(picks.addresses, dtype=np.int64))
        pool = scan.best(request, beliefs, excluded, limits, size, _part_of(progress, done, span))
        if not len(pool):
            raise ran_short(request, len(picks.addresses), scan.survey)
        if not picks.listed:
            picks.scanned, picks.listed = pool.scanned, int(pool.ranks.max())
        _extend(request, rule, beliefs, pool, limits, picks)
        done, span, size = done + span, (1 - done - span) / 2, 4 * size
    return picks


def _extend(
    request: BatchRequest,
    rule: Rule,
    beliefs: Beliefs,
    pool: Pool,
    limits: Keeper,
    picks: _Picks,
) -> None:
    """Choose from a pool until the batch is full or nothing in the pool may join."""
    gains: Gains = FixedGains(pool.utilities)
    if rule.joint is not None:
        gains = _joint_gains(request, rule.joint, beliefs, pool, picks)
    first = not picks.addresses
    allowed = limits.allowed(pool.combinations)
    while len(picks.addresses) < request.size and allowed.any():
        values = np.where(allowed, gains.values(), -np.inf)
        position = int(values.argmax())
        picks.addresses.append(int(pool.addresses[position]))
        picks.scores.append(float(values[position]))
        picks.ranks.append(int(pool.ranks[position]) if first else 0)
        gains.add(position)
        limits.count(pool.combinations[position : position + 1])
        allowed[position] = False
        allowed &= limits.allowed(pool.combinations)


def _joint_gains(
    request: BatchRequest,
    joint: Callable[[float, Tensor, Tensor], Gains],
    beliefs: Beliefs,
    pool: Pool,
    picks: _Picks,
) -> Gains:
    before = Combinations.joined(
        [request.pending, request.space.unrank(np.array(picks.addresses, dtype=np.int64))]
    )
    draws = beliefs.draws(Combinations.joined([before, pool.combinations]))
    noise_sd = beliefs.marginals(pool.combinations[:1])[0].noise_sd
    return joint(noise_sd, draws[:, : len(before)], draws[:, len(before) :])


def _part_of(progress: Progress, done: float, span: float) -> Progress:
    return lambda share, doing: progress(done + share * span, doing)


def _among(scanned: int, left: int, survey: Survey) -> str:
    if survey.is_whole:
        return f"{scanned:,} candidates"
    return f"the {scanned:,} candidates scanned, drawn at random from {left:.1e}"
