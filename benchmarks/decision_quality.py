"""How well strategies decide: all shared screens x strategies x seeds, with peers in the same run.

    python benchmarks/decision_quality.py [--data ../shared/data] [--seeds 10]
        [--screens il2,yale] [--strategies random,gaussian-process/auto,scikit-trees-greedy]
        [--reference gaussian-process/auto] [--minutes M] [--processes P] [--list]
        [--results build/decision_quality.jsonl] [--markdown FILE] [--plot FILE.png] [--json]

Each finished run is one line of the results file, so a program that was killed, or ran out of its
minutes, goes on where it was; runs of other code or settings are made anew (`--any-code` shows
those of older code, too, and `--minutes 0` makes no run at all). Peers measure through the same lab
as ours and begin with the same wells; one that has not finished within `--peer-minutes` is DNF.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.decisions import results, strategies, work
from benchmarks.decisions.catalogue import SCREENS, Entry, screens
from benchmarks.decisions.figures import figures
from benchmarks.decisions.picture import plot
from benchmarks.decisions.prepare import missing_files
from benchmarks.decisions.summary import Row, answered, different_first_wells, rows
from benchmarks.decisions.tables import markdown
from loop.domain.errors import LoopError, UnreadableFileError
from loop.ports.engine import Compute
from loop.replay.plot import check_drawable

_DATA = Path("../shared/data")
_RESULTS = Path("build/decision_quality.jsonl")


def main(given: Sequence[str] | None = None) -> int:
    """Run what is missing, and tell what is known; 1 if something was refused or failed."""
    asked = _parser().parse_args(given)
    if asked.list:
        _list()
        return 0
    try:
        return _benchmark(asked)
    except LoopError as refusal:
        print(refusal, file=sys.stderr)
        return 1


def _benchmark(asked: argparse.Namespace) -> int:
    names = _runnable(_words(asked.strategies) or strategies.names())
    _check_writable(asked)
    entries = _present(screens(_words(asked.screens)), asked.data)
    if not entries:
        _tell(f"Nothing was run: no screen is in {asked.data}; name its folder with --data.")
    compute = Compute(asked.device, "float32", asked.threads)
    conditions = work.Conditions(
        asked.data, asked.results, compute, asked.peer_minutes, asked.minutes, asked.processes
    )
    wanted = work.tasks(entries, names, asked.seeds, conditions)
    known, notes = results.read(asked.results)
    todo = work.left_to_do(wanted, known)
    _tell(f"{len(wanted) - len(todo)} of {len(wanted)} runs are in {asked.results}.")
    work.do(todo, conditions, _tell)
    known, notes = results.read(asked.results)
    found, older = answered(wanted, known, asked.any_code)
    reference = asked.reference or next(iter(names), "")
    told = rows(wanted, found, reference)
    if older:
        notes += (f"{older} runs were made by other code than this.",)
    notes += tuple(
        f"On {screen} not every strategy began with the same wells."
        for screen in different_first_wells(found)
    )
    _show(asked, told, reference, notes)
    return int(any(run.status == "failed" for run in found.values()))


def _check_writable(asked: argparse.Namespace) -> None:
    """Before hours of work, not after."""
    if asked.plot is not None:
        check_drawable(asked.plot)
    if asked.markdown is not None and not asked.markdown.parent.is_dir():
        msg = f"{asked.markdown} cannot be written: there is no such folder; name another file."
        raise UnreadableFileError(msg)


def _show(
    asked: argparse.Namespace, told: Sequence[Row], reference: str, notes: Sequence[str]
) -> None:
    text = markdown(told, reference, notes)
    if asked.markdown is not None:
        asked.markdown.write_text(text, encoding="utf-8")
    if asked.plot is not None:
        plot(told, asked.plot)
    if asked.json:
        print(json.dumps({"benchmark": "decision_quality", "figures": figures(told)}))
    elif asked.markdown is None:
        print(text)


def _runnable(names: Sequence[str]) -> list[str]:
    for name in names:
        strategies.check(name)
    reasons = {name: strategies.unavailable(name) for name in names}
    for name, reason in reasons.items():
        if reason is not None:
            _tell(f"{name} is left out: {reason}.")
    return [name for name in names if reasons[name] is None]


def _present(entries: Sequence[Entry], data: Path) -> list[Entry]:
    present = []
    for entry in entries:
        missing = missing_files(entry, data)
        if missing:
            _tell(f"{entry.name} is left out: {data / missing[0]} is not there.")
        else:
            present.append(entry)
    return present


def _list() -> None:
    for entry in SCREENS.values():
        print(f"screen    {entry.name:26} {entry.table}{'' if entry.by_default else ' (if named)'}")
    for name in strategies.names():
        peer = strategies.PEERS.get(name)
        print(f"strategy  {name:26} {'' if peer is None else peer.says}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, default=_DATA, help="folder of the shared screens")
    add("--screens", default="", help="names with commas; all by default")
    add("--strategies", default="", help="names with commas; all by default")
    add("--reference", default="", help="what differences are taken to; the first by default")
    add("--seeds", type=_count, default=10, help="seeds 0 to N - 1")
    add("--minutes", type=float, help="begin no run after so many minutes")
    add("--peer-minutes", type=float, default=10.0, help="a peer's time for one run")
    add("--processes", type=_count, default=1, help="runs at a time")
    add("--threads", type=_count, default=1, help="threads of a run")
    add("--device", default="cpu", help="where our surrogates compute")
    add("--results", type=Path, default=_RESULTS, help="one line of JSON for each finished run")
    add("--any-code", action="store_true", help="show results of other code, too")
    add("--markdown", type=Path, help="write the tables there")
    add("--plot", type=Path, help="draw the curves there (.png, .svg, .pdf)")
    add("--json", action="store_true", help="print one JSON document")
    add("--list", action="store_true", help="list screens and strategies")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = f"{text} must be 1 or more"
        raise argparse.ArgumentTypeError(msg)
    return number


if __name__ == "__main__":
    sys.exit(main())
