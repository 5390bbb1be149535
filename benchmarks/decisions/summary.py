"""Fold the runs of a strategy on a screen over its seeds."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.decisions.paired import Difference, difference
from benchmarks.decisions.results import Run
from benchmarks.decisions.work import Task


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, SD (None of one), median, smallest and largest of some numbers."""

    mean: float
    sd: float | None
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread | None":
        """None of no numbers."""
        if not numbers:
            return None
        return cls(
            statistics.fmean(numbers),
            statistics.stdev(numbers) if len(numbers) > 1 else None,
            statistics.median(numbers),
            min(numbers),
            max(numbers),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A strategy on a screen.

    Attributes:
        screen: Its name.
        strategy: Its name.
        runs: The finished ones, by seed.
        missing: How many seeds are not run yet.
        trouble: Why some or all seeds have no result: refused, out of time, or failed.
        hits: Hits after the last round, by seed.
        curves: Wells and hits after each round, by seed.
        random_hits: What as many random wells bring on average; None without hits.
        against: The paired difference in hits to the reference strategy.
    """

    screen: str
    strategy: str
    runs: Mapping[int, Run]
    missing: int
    trouble: tuple[str, ...]
    hits: Mapping[int, float]
    curves: Mapping[int, tuple[tuple[float, float], ...]]
    random_hits: tuple[float, ...] | None
    against: Difference | None = None

    def last(self, name: str) -> Spread | None:
        """A figure after the last round, over seeds."""
        return Spread.of([number for run in self.runs.values() for number in _of(run, name)[-1:]])

    def every_round(self, name: str) -> Spread | None:
        """A figure after each round, over rounds and seeds alike."""
        return Spread.of([number for run in self.runs.values() for number in _of(run, name)])

    def told(self, name: str) -> Spread | None:
        """A figure of whole runs, over seeds."""
        found = [run.told.get(name) for run in self.runs.values()]
        return Spread.of([float(each) for each in found if isinstance(each, (int, float))])

    @property
    def times_random(self) -> float | None:
        """Mean hits / what random wells bring on average."""
        spread = Spread.of(list(self.hits.values()))
        if spread is None or not self.random_hits or not self.random_hits[-1]:
            return None
        return spread.mean / self.random_hits[-1]


def rounds(run: Run) -> list[Mapping[str, float | None]]:
    """The lines of a run, one for each round."""
    lines = run.told["rounds"]
    return list(lines) if isinstance(lines, list) else []


def _of(run: Run, name: str) -> list[float]:
    """A figure after each round for which it is known; the last is left out where it is not."""
    numbers = [line.get(name) for line in rounds(run)]
    if not numbers or numbers[-1] is None:
        return []
    return [float(each) for each in numbers if each is not None]


def answered(
    wanted: Sequence[Task], known: Iterable[Run], any_code: bool
) -> tuple[dict[Task, Run], int]:
    """The newest run for each task, and how many of them were made by other code.

    Without `any_code` those are left out.
    """
    newest: dict[str, dict[str, Run]] = {}
    for run in known:
        newest.setdefault(run.settings, {}).pop(run.code, None)
        newest[run.settings][run.code] = run
    found: dict[Task, Run] = {}
    older = 0
    for task in wanted:
        runs = newest.get(task.settings, {})
        if task.code in runs:
            found[task] = runs[task.code]
        elif runs and any_code:
            found[task] = list(runs.values())[-1]
            older += 1
    return found, older


def rows(wanted: Sequence[Task], found: Mapping[Task, Run], reference: str) -> list[Row]:
    """One row for each screen and strategy, in the order wanted, compared with the reference."""
    grouped: dict[tuple[str, str], list[Task]] = {}
    for task in wanted:
        grouped.setdefault((task.entry.name, task.strategy), []).append(task)
    made = {key: _row(*key, group, found) for key, group in grouped.items()}
    screens = list(dict.fromkeys(screen for screen, _ in made))
    ordered = []
    for screen in screens:
        base = made.get((screen, reference))
        for (where, name), row in made.items():
            if where == screen:
                ordered.append(_compared(row, base if name != reference else None))
    return ordered


def _compared(row: Row, base: Row | None) -> Row:
    if base is None:
        return row
    return Row(
        row.screen,
        row.strategy,
        row.runs,
        row.missing,
        row.trouble,
        row.hits,
        row.curves,
        row.random_hits,
        difference(row.hits, base.hits),
    )


def _row(screen: str, strategy: str, group: Sequence[Task], found: Mapping[Task, Run]) -> Row:
    runs = {task.seed: found[task] for task in group if task in found}
    done = {seed: run for seed, run in runs.items() if run.status == "done"}
    trouble = {
        f"{run.status}: {run.told.get('why', '')}" for run in runs.values() if run.status != "done"
    }
    curves = {}
    for seed, run in done.items():
        points = [(line.get("wells"), line.get("hits")) for line in rounds(run)]
        if all(wells is not None and hits is not None for wells, hits in points):
            curves[seed] = tuple((float(wells or 0), float(hits or 0)) for wells, hits in points)
    random = next(
        (run.told["random_hits"] for run in done.values() if "random_hits" in run.told), None
    )
    return Row(
        screen,
        strategy,
        done,
        len(group) - len(runs),
        tuple(sorted(trouble)),
        {seed: curve[-1][1] for seed, curve in curves.items()},
        curves,
        tuple(float(each) for each in random) if isinstance(random, list) else None,
    )


def different_first_wells(found: Mapping[Task, Run]) -> tuple[str, ...]:
    """Screens on which strategies with the same seed did not begin with the same wells.

    With a prior screen that is meant: surrogates that use it may propose an informed first batch.
    """
    seen: dict[tuple[str, int], set[object]] = {}
    for task, run in found.items():
        if run.status == "done":
            seen.setdefault((task.entry.name, task.seed), set()).add(run.told.get("first_wells"))
    return tuple(sorted({screen for (screen, _), first in seen.items() if len(first) > 1}))
