"""Run one strategy with one seed on one screen, and write down what came of it."""

import hashlib
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.decisions.catalogue import Entry
from benchmarks.decisions.peer import (
    Forecast,
    PeerRound,
    RanOutOfTimeError,
    is_two_sided,
    run_peer,
)
from benchmarks.decisions.prepare import prepare
from benchmarks.decisions.strategies import PEERS, parts
from loop.domain.errors import LoopError
from loop.domain.goal import smaller_is_better
from loop.ports.arrays import IntArray
from loop.ports.engine import Compute
from loop.replay.campaign import Replay, Strategy
from loop.scores import rmse, share, spearman

Line = dict[str, float | int | None]
_TOP_SHARE = 0.02
_NINETY = 1.6448536269514722


def measure(
    entry: Entry, data: Path, strategy: str, seed: int, compute: Compute, peer_minutes: float
) -> dict[str, object]:
    """One run as plain data: `status` is 'done', 'refused' (with `why`) or 'dnf' (a peer's time).

    Seconds are wall time; `cpu_seconds` is this process's, so a peer's own process is not in it.
    """
    start, cpu = time.perf_counter(), time.process_time()
    lines: list[Line] = []
    found: dict[str, object] = {"status": "done", "rounds": lines}
    try:
        ready = prepare(entry, data, compute).replay
        start, cpu = time.perf_counter(), time.process_time()
        addresses = _run(ready, strategy, seed, time.monotonic() + 60 * peer_minutes, lines)
        found |= _chosen(ready, addresses)
    except RanOutOfTimeError as late:
        found |= {"status": "dnf", "why": str(late)}
    except LoopError as refusal:
        found |= {"status": "refused", "why": str(refusal)}
    found["seconds"] = round(time.perf_counter() - start, 3)
    found["cpu_seconds"] = round(time.process_time() - cpu, 3)
    return found


def _run(ready: Replay, strategy: str, seed: int, deadline: float, lines: list[Line]) -> IntArray:
    peer = PEERS.get(strategy)
    if peer is None:
        surrogate, acquisition = parts(strategy)
        run = ready.run(Strategy(surrogate, acquisition, {}, {}), seed)
        lines.extend(_finite(asdict(line)) for line in run.rounds)
        return run.addresses

    def after(addresses: IntArray, each: PeerRound) -> None:
        lines.append(_finite(_peer_line(ready, addresses, each)))

    return run_peer(ready, peer.load(), seed, deadline, after)


def _peer_line(ready: Replay, addresses: IntArray, each: PeerRound) -> Line:
    values, hits = ready.screen.values[addresses], ready.asked.hits
    small = smaller_is_better(ready.asked.goal, ready.asked.readout)
    line: Line = {
        "wells": each.wells,
        "hits": None if hits is None else int(hits[addresses].sum()),
        "best": float(values.min() if small else values.max()),
        "seconds_propose": each.seconds_propose,
        "seconds_retrain": each.seconds_retrain,
    }
    if each.forecast is None or is_two_sided(ready.asked.goal, ready.asked.readout):
        return line
    return line | _judged(ready, addresses, each.forecast)


def _judged(ready: Replay, addresses: IntArray, forecast: Forecast) -> Line:
    """A peer's predictions of what is not measured, its intervals as they come."""
    rest = np.setdiff1d(np.arange(len(ready.screen.values)), addresses)
    values, mean, sd = ready.screen.values[rest], forecast.mean[rest], forecast.sd[rest]
    judged: Line = {"rmse": rmse(values, mean), "spearman": spearman(values, mean)}
    if np.isfinite(sd).all() and len(rest):
        inside = np.abs(values - mean) <= _NINETY * sd
        effect = np.abs(mean - mean.mean())
        top = np.argsort(-effect, kind="stable")[: max(1, round(_TOP_SHARE * len(mean)))]
        judged |= {"coverage90": share(inside), "coverage90_top": share(inside[top])}
    return judged


def _chosen(ready: Replay, addresses: IntArray) -> dict[str, object]:
    """What a reader needs beside the rounds: the expectation, both tails, the first wells."""
    plan, hits = ready.plan, ready.asked.hits
    first = np.ascontiguousarray(addresses[: plan.start]).tobytes()
    told: dict[str, object] = {
        "first_wells": hashlib.sha256(first).hexdigest()[:12],
        "candidates": len(ready.screen.values),
    }
    if hits is not None:
        wells = [plan.start + number * plan.batch for number in range(plan.rounds + 1)]
        told["random_hits"] = [round(float(hits.mean()) * count, 3) for count in wells]
    if hits is not None and is_two_sided(ready.asked.goal, ready.asked.readout):
        low = ready.screen.values <= ready.asked.readout.low
        mine = hits[addresses]
        told["hits_low"] = int((mine & low[addresses]).sum())
        told["hits_high"] = int((mine & ~low[addresses]).sum())
    return told


def _finite(line: Line) -> Line:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in line.items()
    }
