"""Use case: watch a whole campaign run in the simulated lab, through the real use cases."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from loop.dispatch import dispatch_batch
from loop.domain.batch import RoundScores
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Readout
from loop.domain.perturbation import Perturbation
from loop.encoding import LibraryIndex
from loop.ingest import ingest_results
from loop.initialize import Initialized, initialize
from loop.plugins import lab_adapter
from loop.ports.engine import Progress, silent
from loop.ports.lab import LabSetup, ResultsChunk
from loop.propose import propose_batch
from loop.provided import Services
from loop.report.write import write_report
from loop.retrain import retrain
from loop.review import approve
from loop.status import campaign_status

_SEED = 7
_AT_ONCE = 50_000
_LEAST_BATCH = 8


class ExampleLab(Protocol):
    """What the demo asks of the simulated lab besides being a lab."""

    def write_example(
        self,
        folder: Path,
        perturbagens: int,
        order: int,
        contexts: Sequence[str],
        batch: int,
        hit_rate: float,
        name: str,
    ) -> Path:
        """Write a campaign file and the files it names."""
        ...

    def hit_chances(
        self, perturbations: Sequence[Perturbation], readout: Readout, replicates: int
    ) -> list[float]:
        """The chance of each perturbation to be measured as a hit."""
        ...

    def collect(self, reference: str) -> list[ResultsChunk]:
        """The results of a job."""
        ...


@dataclass(frozen=True, slots=True)
class DemoRound:
    """A round of the demo; hits and wells are summed over all rounds so far."""

    number: int
    chosen_by: str
    wells: int
    hits: int
    random_hits: float
    scores: RoundScores | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo did, and where it left everything."""

    campaign: str
    candidates: int
    rounds: tuple[DemoRound, ...]
    report: Path
    home: Path


def run_demo(
    services: Services,
    rounds: int = 5,
    perturbagens: int = 240,
    batch: int = 96,
    progress: Progress = silent,
    started: Callable[[Initialized], None] = lambda _: None,
    finished: Callable[[DemoRound], None] = lambda _: None,
) -> Demo:
    """Run a find-hits campaign over pairs, from campaign file to report.

    `started` and `finished` are called when the campaign exists and after each round. A new
    campaign is made every time (`demo`, `demo-2`, …). The batch is smaller where there are too few
    pairs for that many rounds of it.

    Raises:
        NotEnoughCandidatesError: If they would not do for small batches; nothing is made.
    """
    batch = _batch_that_fits(batch, rounds, perturbagens)
    name = _free_name(services)
    folder = services.settings.home / "demo" / name
    lab = cast(
        "ExampleLab",
        lab_adapter("simulated")(LabSetup(folder, {}, _SEED)),
    )
    made = initialize(
        services, lab.write_example(folder, perturbagens, 2, ("K562",), batch, 0.09, name)
    )
    started(made)
    by_chance = _random_rate(lab, made)
    lines = []
    for number in range(1, rounds + 1):
        told = _part(progress, number - 1, rounds)
        lines.append(_round(services, name, number, folder, by_chance, told))
        finished(lines[-1])
    report = write_report(services, name, folder / "report.html")
    return Demo(name, made.candidates, tuple(lines), report, services.settings.home)


def _batch_that_fits(batch: int, rounds: int, perturbagens: int) -> int:
    pairs = math.comb(perturbagens, 2)
    fitting = min(batch, pairs // rounds)
    if fitting < min(batch, _LEAST_BATCH):
        msg = (
            f"{perturbagens} perturbagens make {pairs} pairs, too few for {rounds} rounds of "
            f"at least {_LEAST_BATCH}; ask for fewer rounds or more perturbagens."
        )
        raise NotEnoughCandidatesError(msg)
    return fitting


def _free_name(services: Services) -> str:
    with services.storage.reading() as work:
        taken = {each.name for each in work.campaigns.all()}
    numbered = (f"demo-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in ("demo", *numbered) if name not in taken)


def _random_rate(lab: ExampleLab, made: Initialized) -> float:
    """The share of all candidates that random wells would show to be hits, by the truth."""
    index = LibraryIndex(made.inputs.library)
    space, campaign = index.space(), made.campaign
    addresses = np.arange(min(len(space), _AT_ONCE), dtype=np.int64)
    perturbations = index.decode(space.unrank(addresses))
    return float(
        np.mean(lab.hit_chances(perturbations, campaign.readout, campaign.batch.replicates))
    )


def _round(
    services: Services,
    name: str,
    number: int,
    folder: Path,
    by_chance: float,
    progress: Progress,
) -> DemoRound:
    progress(0.0, f"round {number}: choosing")
    batch = propose_batch(services, name)
    approve(services, batch.id)
    progress(0.2, f"round {number}: on plates")
    dispatch = dispatch_batch(services, batch.id)
    with services.storage.reading() as work:
        campaign = work.campaigns.get(name)
    for chunk in services.lab(campaign).collect(dispatch.reference or ""):
        path = folder / f"{batch.id}.{chunk.name}"
        path.write_bytes(chunk.content)
        ingest_results(services, name, path)
    progress(0.3, f"round {number}: learning")
    learned = retrain(services, name)
    line = campaign_status(services, name).rounds[-1]
    return DemoRound(
        number,
        batch.acquisition,
        line.tested,
        line.hits,
        by_chance * line.tested,
        line.scores,
        learned.snapshot.verdict,
    )


def _part(progress: Progress, done: int, total: int) -> Progress:
    def tell(share: float, doing: str) -> None:
        progress((done + share) / total, doing)

    return tell
