"""What a cascade costs: seconds, memory and audited recall, as the space grows.

    python -m benchmarks.cascade [--json] [--items 4473 14143] [--triples 0] [--threads 2]

The surrogate is the default ensemble (16 members, width 128), fitted to 768 pairs: of Horlbeck
2018 with gene features where `../shared/data` is there, and made up otherwise. The library holds
those genes and as many others as asked for; hits are sought.
"""

import argparse
import csv
import gzip
import json
import threading
import time
from pathlib import Path

import numpy as np
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs
from acquisition.belief.marginals import Marginals
from acquisition.cascade.cascade import Effort, cascade
from acquisition.limits.keeper import Keeper
from acquisition.scanning.narrowing import Wish
from acquisition.scanning.pool import Question
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, FloatArray, IntArray, Representations, TrainingSet
from loop.ports.engine import BatchRequest, Compute, SurrogateProblem
from loop.space import VirtualSpace
from surrogate.ensemble import Ensemble

_DATA = Path(__file__).parents[1].parent / "shared" / "data"
_READOUT = Readout("gi", low=-1.966, high=1.818)
_TAUGHT = 768
_WIDTH = 64
_WANTED = 2_000


def library(count: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """URs of `count` perturbagens, (count, 64), and pairs of them with values, (n, 2) and (n,)."""
    if (_DATA / "gene_features").exists():
        return _genes(count)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, _WIDTH)) * np.linspace(2, 0.2, _WIDTH)
    pairs = np.sort(rng.choice(min(count, 448), (4 * _TAUGHT, 2)), axis=1)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]][:_TAUGHT]
    effects = rng.standard_t(3, size=count) * 0.3 + features[:, 0] * 0.2
    meeting = (features[pairs[:, 0], :8] * features[pairs[:, 1], :8]).sum(axis=1)
    values = effects[pairs].sum(axis=1) + 0.1 * meeting + rng.normal(size=len(pairs))
    return features, pairs, values


def _genes(count: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Genes of Horlbeck 2018 and others in random order, by five views of gene features."""
    with np.load(_DATA / "gene_features" / "gene_embeddings.npz") as file:
        names = file["symbol"].astype(str)
        views = [file[key].astype(float) for key in ("go", "pubmed", "ppi", "coess", "pfam_kegg")]
    whole = np.concatenate(views, axis=1)
    whole -= whole.mean(axis=0)
    _, vectors = np.linalg.eigh(whole.T @ whole)
    whole = whole @ vectors[:, ::-1][:, :_WIDTH]
    with gzip.open(_DATA / "horlbeck2018" / "k562_pairs.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    at = {name: place for place, name in enumerate(names)}
    rows = [row for row in rows if row["gene_a"] in at and row["gene_b"] in at and row["gi_k562"]]
    screened = sorted({at[row[key]] for row in rows for key in ("gene_a", "gene_b")})
    rng = np.random.default_rng(0)
    others = rng.permutation(np.setdiff1d(np.arange(len(names)), screened))
    chosen = rng.permutation(np.concatenate([screened, others])[:count])
    home = {int(gene): place for place, gene in enumerate(chosen)}
    rows = [row for row in rows if at[row["gene_a"]] in home and at[row["gene_b"]] in home]
    some = [rows[place] for place in rng.choice(len(rows), _TAUGHT, replace=False)]
    pairs = [[home[at[row["gene_a"]]], home[at[row["gene_b"]]]] for row in some]
    return whole[chosen], np.sort(pairs, axis=1), np.array([float(row["gi_k562"]) for row in some])


def ensemble(features: FloatArray, pairs: IntArray, values: FloatArray, slots: int) -> Ensemble:
    """The default ensemble at width 128, fitted."""
    count = len(pairs)
    components = np.full((count, slots), -1, dtype=np.int64)
    components[:, :2] = pairs
    levels = np.where(components < 0, -1, 0)
    training = TrainingSet(
        Combinations(components, levels, np.zeros(count, dtype=np.int64)),
        values[:, None],
        np.ones((count, 1), dtype=np.int64),
        np.full((count, 1), np.nan),
        np.arange(count).astype(np.uint64),
        np.ones(count, dtype=np.bool_),
    )
    known = np.ones(len(features), dtype=np.bool_)
    urs = Representations(features, known, np.ones((1, 1)), np.zeros((len(features), 1)))
    settings = {"members": 16, "width": 128}
    surrogate = Ensemble(SurrogateProblem(urs, slots, 1, settings, Compute()))
    surrogate.fit(training, np.random.default_rng(0))
    return surrogate


def chance(beliefs: tuple[Marginals, ...]) -> Tensor:
    """The chance of a hit."""
    return beliefs[0].chance_past(_READOUT.low, _READOUT.high)


class Peak:
    """The most memory that this process holds while it is entered, beyond what it held before."""

    def __enter__(self) -> "Peak":
        self._before = self._most = _resident()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self._most = max(self._most, _resident())

    @property
    def megabytes(self) -> float:
        """Megabytes."""
        return (self._most - self._before) / 1e6


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


def cascaded(items: int, order: int, threads: int) -> dict[str, float]:
    """One cascade over all sets of `order` of `items` perturbagens."""
    surrogate = ensemble(*library(items), slots=order)
    space = VirtualSpace([1] * items, 1, (order,))
    none = np.zeros(0, dtype=np.int64)
    request = BatchRequest(
        space,
        none,
        surrogate,
        Goal.FIND_HITS,
        (_READOUT,),
        None,
        space.unrank(none),
        128,
        {},
        compute=Compute(threads=threads),
    )
    beliefs = MemberBeliefs(surrogate, 1)
    ask = Question(request, beliefs, none, Keeper(request.limits, 128), _WANTED)
    beliefs.marginals(space.unrank(np.arange(1_000)))
    steps: dict[str, float] = {}
    doing_now, since = [""], [time.process_time()]

    def progress(share: float, doing: str) -> None:
        now = time.process_time()
        if doing_now[0]:
            steps[doing_now[0]] = steps.get(doing_now[0], 0.0) + now - since[0]
        doing_now[0], since[0] = doing, now

    with Peak() as peak:
        wall, cpu = time.perf_counter(), time.process_time()
        found = cascade(ask, Wish(chance, None, 7, 20.0), Effort(), progress)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert found is not None
    [note] = found.notes
    recall, least = (
        float(note.split(word)[1].split(")")[0].split()[0])
        for word in ("audited recall ", "(at least ")
    )
    label = f"{len(space):.0e}_of_order_{order}".replace("+", "")
    figures = {
        f"candidates_{label}": float(len(space)),
        f"wall_seconds_{label}": wall,
        f"cpu_seconds_{label}": cpu,
        f"audited_recall_{label}": recall,
        f"audited_recall_at_least_{label}": least,
        f"rated_exactly_{label}": float(note.split(" through")[0].split()[-1].replace(",", "")),
        f"peak_extra_megabytes_{label}": peak.megabytes,
    }
    figures |= {
        f"cpu_seconds_{step.replace(' ', '_')}_{label}": spent for step, spent in steps.items()
    }
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--items", type=int, nargs="*", default=[4_473, 14_143])
    parser.add_argument("--triples", type=int, nargs="*", default=[], help="libraries of triples")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch does")
    wanted = parser.parse_args()
    found: dict[str, float] = {}
    for order, libraries in ((2, wanted.items), (3, wanted.triples)):
        for items in libraries:
            figures = cascaded(items, order, wanted.threads)
            found |= figures
            for name, value in [] if wanted.json else figures.items():
                print(f"{name:76} {value:,.4g}", flush=True)
    if wanted.json:
        print(json.dumps({"benchmark": "cascade", "figures": found}))


if __name__ == "__main__":
    main()
