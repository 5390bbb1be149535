"""Run one strategy against a measured screen, as a campaign would have run."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from loop import plugins
from loop.choose import Known, Question, Selection, best_so_far, choose
from loop.domain.batch import Forecast
from loop.domain.campaign import FirstBatch
from loop.domain.goal import has_one_best
from loop.first_batch import has_informed_start, in_sds, prior_surrogate
from loop.forecast import HITS
from loop.learn import Learned, learn_round
from loop.ports.arrays import (
    Belief,
    BoolArray,
    Combinations,
    FloatArray,
    IntArray,
    PriorScreen,
    Representations,
    TrainingSet,
)
from loop.ports.engine import (
    Acquisition,
    Compute,
    Limits,
    Progress,
    Surrogate,
    SurrogateProblem,
    silent,
)
from loop.replay.foretell import Foreteller, by_lot_rows
from loop.replay.marks import Marks
from loop.replay.question import Asked
from loop.replay.spec import plugin_text
from loop.scores import nll, rmse, share, spearman
from loop.screen import Screen
from loop.space import ListedSpace, draw

_JUDGED_AT_MOST = 200_000
_TOP_SHARE = 0.02
_BY_LOT = "random"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how wide: first wells by lot, then `rounds` batches of `batch`.

    `audit` is the share of a batch drawn by lot, `max_uses` how often one perturbagen may occur
    in a batch (0: no limit), `first` how the first wells are chosen where no earlier screen tells.
    """

    start: int = 128
    rounds: int = 5
    batch: int = 128
    audit: float = 0.06
    max_uses: int = 0
    first: FirstBatch = FirstBatch.RANDOM


@dataclass(frozen=True, slots=True)
class Strategy:
    """A surrogate and an acquisition, by name, with their settings."""

    surrogate: str
    acquisition: str
    surrogate_settings: Mapping[str, str | int | float | bool]
    acquisition_settings: Mapping[str, str | int | float | bool]

    @property
    def label(self) -> tuple[str, str]:
        """Surrogate and acquisition as a person types them."""
        return (
            plugin_text(self.surrogate, self.surrogate_settings),
            plugin_text(self.acquisition, self.acquisition_settings),
        )


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """One round of a replay; `wells` and `hits` are summed over all rounds so far.

    `rmse` to `coverage90` and `coverage90_top` (the 2 % with the largest predicted effect) are on
    unmeasured perturbations after retraining; `coverage90_selected` on the wells of this round as
    predicted before they were measured. `forecast_hits` is what the wells of this round were
    expected to bring, `forecast_gain` how far past the best so far; `forecast_low` and
    `forecast_high` bound the 90 % interval of whichever it is. From `hits_low` to `distance` the
    fields are those of `Marked`, of all wells so far. None: not computable.
    """

    wells: int
    hits: int | None
    best: float
    rmse: float | None
    spearman: float | None
    nll: float | None
    coverage90: float | None
    coverage90_top: float | None
    coverage90_selected: float | None
    seconds_propose: float
    seconds_retrain: float
    forecast_hits: float | None = None
    forecast_gain: float | None = None
    forecast_low: float | None = None
    forecast_high: float | None = None
    hits_low: int | None = None
    hits_high: int | None = None
    regret: float | None = None
    top100: int | None = None
    hypervolume: float | None = None
    distance: float | None = None


@dataclass(frozen=True, slots=True)
class _Foretold:
    """What was said of a round before it was measured; None of the first."""

    selected: float | None = None
    forecast: Forecast | None = None
    seconds: float = 0.0


class MeasuredLab:
    """The lab of a replay: it holds every value, and gives those that are asked for."""

    def __init__(self, screen: Screen) -> None:
        """Take the values in; nothing else reads them before they are measured."""
        self._screen = screen

    def measure(self, addresses: IntArray, audit: BoolArray) -> TrainingSet:
        """What measuring some wells brings; `audit` says which were drawn by lot."""
        screen, table = self._screen, self._screen.table
        return TrainingSet(
            screen.combinations[addresses],
            table.values[addresses],
            table.replicates[addresses],
            table.spread[addresses],
            screen.identities[addresses],
            audit,
        )


@dataclass(frozen=True, slots=True)
class ReplayedRun:
    """One seed: a line for each round, and the addresses in the order measured."""

    seed: int
    rounds: tuple[RoundFigures, ...]
    addresses: IntArray


class Replay:
    """A screen, a question and what is known beforehand, ready for any strategy and seed."""

    def __init__(
        self,
        screen: Screen,
        asked: Asked,
        representations: Representations,
        plan: Plan,
        compute: Compute,
        prior: tuple[PriorScreen, ...] = (),
    ) -> None:
        """Index the screen; nothing is learned yet."""
        self.prior = prior
        self.screen, self.asked, self.plan = screen, asked, plan
        self.representations, self.compute = representations, compute
        self.space = ListedSpace(screen.combinations)
        self.marks = Marks(screen, asked)

    def run(self, strategy: Strategy, seed: int, progress: Progress = silent) -> ReplayedRun:
        """Replay one strategy with one seed.

        The first wells depend on the seed alone, unless there is prior evidence to choose most of
        them by; a surrogate that ignores it starts from wells by lot.
        """
        lab = MeasuredLab(self.screen)
        acquisition = plugins.acquisition(strategy.acquisition)
        rng = np.random.default_rng([seed])
        addresses, audit = self._first(strategy, acquisition, seed, rng)
        learned: Learned | None = None
        lines: list[RoundFigures] = []
        foreteller = Foreteller(self.asked)
        training: TrainingSet | None = None
        for number in range(self.plan.rounds + 1):
            done = number / (self.plan.rounds + 1)
            foretold = _Foretold()
            if learned is not None:
                before = time.perf_counter()
                selection = self._propose(
                    learned, acquisition, strategy, addresses, training, _stream(seed, number, 0)
                )
                seconds = time.perf_counter() - before
                foretold = self._foretell(
                    foreteller,
                    learned,
                    selection,
                    addresses,
                    audit,
                    seconds,
                    _stream(seed, number, 3),
                )
                addresses = np.concatenate([addresses, selection.addresses])
                audit = np.concatenate([audit, by_lot_rows(selection)])
            progress(done, f"seed {seed}, round {number}: learning from {len(addresses)} wells")
            before = time.perf_counter()
            training = lab.measure(addresses, audit)
            learned, _, _ = learn_round(
                partial(self._surrogate, strategy), learned, training, _stream(seed, number, 1)
            )
            retrain_seconds = time.perf_counter() - before
            lines.append(self._figures(learned, addresses, foretold, retrain_seconds, seed))
        progress(1.0, f"seed {seed} done")
        return ReplayedRun(seed, tuple(lines), addresses)

    def _problem(self, strategy: Strategy) -> SurrogateProblem:
        return SurrogateProblem(
            self.representations,
            self.screen.combinations.slots,
            len(self.asked.readouts),
            strategy.surrogate_settings,
            self.compute,
            self.prior,
        )

    def _surrogate(self, strategy: Strategy) -> Surrogate:
        return plugins.surrogate(strategy.surrogate)(self._problem(strategy))

    def _first(
        self,
        strategy: Strategy,
        acquisition: Acquisition,
        seed: int,
        rng: np.random.Generator,
    ) -> tuple[IntArray, BoolArray]:
        """The addresses of the first wells, and which of them were drawn by lot."""
        nothing = np.zeros(0, dtype=np.int64)
        problem = self._problem(strategy)
        by_lot = _BY_LOT in (strategy.surrogate, strategy.acquisition)
        informed = not by_lot and has_informed_start(problem, self.asked.goal)
        if not informed and self.plan.first is FirstBatch.RANDOM:
            lot = draw(self.space, self.plan.start, nothing, rng).addresses
            return lot, np.ones(len(lot), dtype=np.bool_)
        question = self._question(strategy)
        selection = choose(
            in_sds(question) if informed else question,
            Known(
                prior_surrogate(problem, seed) if informed else None,
                nothing,
                _nothing(self.screen.combinations),
            ),
            acquisition,
            self.plan.start,
            rng,
        )
        return selection.addresses, by_lot_rows(selection)

    def _propose(
        self,
        learned: Learned,
        acquisition: Acquisition,
        strategy: Strategy,
        addresses: IntArray,
        training: TrainingSet | None,
        rng: np.random.Generator,
    ) -> Selection:
        measured = self.screen.values[addresses]
        return choose(
            self._question(strategy),
            Known(
                learned.surrogate,
                np.sort(addresses),
                _nothing(self.screen.combinations),
                best_so_far(self.asked.goal, self.asked.readout, measured),
                training,
            ),
            acquisition,
            self.plan.batch,
            rng,
        )

    def _foretell(
        self,
        foreteller: Foreteller,
        learned: Learned,
        selection: Selection,
        addresses: IntArray,
        audit: BoolArray,
        seconds: float,
        rng: np.random.Generator,
    ) -> _Foretold:
        """Say what a batch will bring, then remember what its chosen wells brought."""
        values, batch = self.screen.values, selection.addresses
        forecast, promised = foreteller.forecast(
            learned,
            selection,
            self.space.unrank(batch),
            self.screen.replicates[batch],
            values[addresses[audit]],
            best_so_far(self.asked.goal, self.asked.readout, values[addresses]),
            rng,
        )
        selected = self._covered(learned, batch)
        if self.asked.hits is not None:
            chosen = batch[~by_lot_rows(selection)]
            foreteller.measured(promised, int(self.asked.hits[chosen].sum()))
        return _Foretold(selected, forecast, seconds)

    def _question(self, strategy: Strategy) -> Question:
        uses = np.zeros(len(self.screen.perturbagens), dtype=np.int64)
        return Question(
            self.space,
            self.asked.goal,
            self.asked.readouts,
            self.plan.audit,
            strategy.acquisition_settings,
            _nothing(self.screen.combinations),
            Limits(self.plan.max_uses, uses),
            first=self.plan.first,
            representations=self.representations,
            compute=self.compute,
        )

    def _covered(self, learned: Learned, addresses: IntArray) -> float | None:
        belief = learned.surrogate.believe(self.space.unrank(addresses))
        return share(self._inside(learned, belief, addresses))

    def _inside(self, learned: Learned, belief: Belief, addresses: IntArray) -> BoolArray:
        low, high = learned.interval(belief, wells=self.screen.replicates[addresses, None])
        values = self.screen.values[addresses]
        inside: BoolArray = (low <= values) & (values <= high)
        return inside

    def _figures(
        self,
        learned: Learned,
        addresses: IntArray,
        foretold: _Foretold,
        seconds_retrain: float,
        seed: int,
    ) -> RoundFigures:
        rest = self._unmeasured(addresses, seed)
        belief = learned.surrogate.believe(self.space.unrank(rest))
        values, mean = self.screen.values[rest], belief.mean[:, 0]
        sd = learned.sd(belief, self.screen.replicates[rest, None])
        inside = self._inside(learned, belief, rest)
        hits = self.asked.hits
        best = best_so_far(self.asked.goal, self.asked.readout, self.screen.values[addresses])
        if not has_one_best(self.asked.goal):
            best = None
        return RoundFigures(
            wells=len(addresses),
            hits=None if hits is None else int(hits[addresses].sum()),
            best=float("nan") if best is None else best,
            rmse=rmse(values, mean),
            spearman=spearman(values, mean),
            nll=nll(values, mean, sd),
            coverage90=share(inside),
            coverage90_top=share(inside[_largest(mean)]) if len(rest) else None,
            coverage90_selected=foretold.selected,
            seconds_propose=foretold.seconds,
            seconds_retrain=seconds_retrain,
            **_forecast_figures(foretold.forecast),
            **asdict(self.marks.of(addresses)),
        )

    def _unmeasured(self, addresses: IntArray, seed: int) -> IntArray:
        rest = np.setdiff1d(np.arange(len(self.space)), addresses)
        if len(rest) > _JUDGED_AT_MOST:
            rest = np.sort(_stream(seed, 0, 2).choice(rest, _JUDGED_AT_MOST, replace=False))
        return rest


def _stream(seed: int, number: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, purpose])


def _forecast_figures(forecast: Forecast | None) -> dict[str, Any]:
    if forecast is None:
        return {}
    name = "forecast_hits" if forecast.unit == HITS else "forecast_gain"
    return {name: forecast.value, "forecast_low": forecast.low, "forecast_high": forecast.high}


def _nothing(combinations: Combinations) -> Combinations:
    return combinations[np.zeros(0, dtype=np.int64)]


def _largest(mean: FloatArray) -> IntArray:
    """Rows of the 2 % with the largest predicted effect, counted from the mean prediction."""
    effect = np.abs(mean - mean.mean())
    order: IntArray = np.argsort(-effect, kind="stable")
    return order[: max(1, round(_TOP_SHARE * len(mean)))]
