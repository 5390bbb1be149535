"""Scan and choose, as often as it takes to fill the batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from acquisition.belief.beliefs import Beliefs
from acquisition.belief.mixed_draws import enough_draws
from acquisition.belief.sound_draws import sound
from acquisition.choosing.contributions import Scale
from acquisition.choosing.field import Field
from acquisition.choosing.gains import FixedGains, Gains
from acquisition.choosing.picks import Picks
from acquisition.choosing.rule import Rule
from acquisition.choosing.typical import typical_utility
from acquisition.choosing.within_money import best_within, plain_choice, rate_within
from acquisition.limits.cheapest import provide
from acquisition.limits.exchange_rate import exchange_rate
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Survey, shards
from acquisition.limits.ran_out import ran_out
from acquisition.scan import Pool, Scan
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest, Progress

_MOST_LISTED = 200_000
_DRAWN = 4_096
_FEW = 16


@dataclass(frozen=True, slots=True)
class Filled:
    """A full batch, the limits that it kept to, and the field that it was first chosen from."""

    picks: Picks
    keeper: Keeper
    field: Field


@dataclass(frozen=True, slots=True)
class Filler:
    """All that is needed to fill a batch.

    Attributes:
        request: Whose batch it is.
        rule: How candidates are rated.
        scan: How the space is looked at.
        beliefs: About the readouts that the rule asks for.
        draws: How many joint draws are wanted where the surrogate has too few members.
        salt: Seeds what is drawn at random.
    """

    request: BatchRequest
    rule: Rule
    scan: Scan
    beliefs: Beliefs
    draws: int
    salt: int

    def fill(self, size: int, progress: Progress) -> Filled:
        """Choose from the `size` best candidates; where they run out, from four times as many.

        Raises:
            NotEnoughCandidatesError: If the limits leave too few; the sentence names the limit.
        """
        keeper, picks = Keeper(self.request.limits, self.request.size), Picks()
        typical = self._typical()
        first: Field | None = None
        done, span = 0.0, 0.9
        while first is None or len(picks) < self.request.size:
            self._provide(keeper, picks)
            part = _part_of(progress, done, span)
            # What would be chosen if money were no matter is found out first.
            limits = keeper.without_budget() if first is None else keeper
            field = self._field(limits, picks, size, typical, part)
            if first is None:
                picks.scanned, picks.listed = field.pool.scanned, int(field.pool.ranks.max())
                keeper, picks, field = self._begun(keeper, picks, field, size, part)
                first = field
            else:
                field.extend(keeper, picks)
            done, span = done + span, (1 - done - span) / 2
            size = max(size, min(4 * size, _MOST_LISTED))
        return Filled(picks, keeper, first)

    def _typical(self) -> float:
        if self.rule.scale is Scale.LOG:
            return 0.0
        if self.rule.scale is Scale.AMOUNT and not self.request.limits.diversity:
            return 0.0
        return typical_utility(self.request, self.beliefs, self.rule.utility, self.salt)

    def _provide(self, keeper: Keeper, picks: Picks) -> None:
        if keeper.budget is not None:
            missing = self.request.size - len(picks)
            others, excluded = keeper.without_budget(), self._excluded(picks)
            provide(self.request, keeper.budget, others, excluded, missing, self.salt)

    def _begun(
        self, keeper: Keeper, picks: Picks, field: Field, size: int, progress: Progress
    ) -> tuple[Keeper, Picks, Field]:
        """Choose from the first field, or where money is short from another at the right price."""
        if keeper.budget is None:
            field.extend(keeper, picks)
            return keeper, picks, field
        begun = plain_choice(field, keeper, picks)
        if begun is not None:
            return *begun, field
        keeper.budget.bound = True
        if len(field.pool) < field.pool.scanned:
            keeper.budget.rate = self._rate_of_draw(keeper)
            field = self._field(
                keeper, picks, size, field.typical, lambda share, doing: progress(1.0, doing)
            )
        rate = rate_within(field, keeper, self.request.size)
        keeper.budget.rate = rate
        best = best_within(field, keeper, picks, rate)
        if best is None:
            field.extend(keeper, picks)
        return *(best or (keeper, picks)), field

    def _rate_of_draw(self, keeper: Keeper) -> float:
        """The exchange rate at which as many of a random draw can be paid as of the whole space."""
        if keeper.budget is None:
            return 0.0
        survey = Survey(len(self.request.space), _DRAWN, self.salt)
        others = keeper.without_budget()
        [drawn] = shards(self.request, survey, self.request.taken, others, len(survey))
        if not len(drawn.addresses):
            return 0.0
        size = self.request.size
        share = len(drawn.addresses) / max(self.request.space.on_offer(), 1)
        wanted = min(max(round(size * share), _FEW), size, len(drawn.addresses))
        utilities = self._utilities(drawn.combinations)
        prices = keeper.budget.prices(drawn.combinations)
        return exchange_rate(utilities, prices, wanted, keeper.budget.money * wanted / size)

    def _field(
        self, keeper: Keeper, picks: Picks, size: int, typical: float, progress: Progress
    ) -> Field:
        limit = self.beliefs.joint_limit
        if self.rule.joint is not None and limit is not None:
            size = min(size, limit)
        excluded = self._excluded(picks)
        pool = self.scan.best(self.request, self.beliefs, excluded, keeper, size, progress)
        if not len(pool):
            raise ran_out(self.request, keeper, len(picks), excluded, self.scan.survey)
        charged = keeper.budget is not None and keeper.budget.rate > 0
        utilities = self._utilities(pool.combinations) if charged else pool.utilities
        before = self.request.space.unrank(picks.array())
        if np.isnan(typical):
            typical = float(np.median(utilities))
        start = self._start(pool, utilities, before)
        return Field(self.request, pool, utilities, start, self.rule.scale, typical, before)

    def _start(
        self, pool: Pool, utilities: FloatArray, before: Combinations
    ) -> Callable[[], Gains]:
        joint = self.rule.joint
        if joint is None:
            return lambda: FixedGains(utilities)
        known = Combinations.joined([self.request.pending, before])
        drawn = sound(self.beliefs.draws(Combinations.joined([known, pool.combinations])))
        if self.rule.mixes:
            drawn = enough_draws(drawn, self.request.size, self.draws, self.salt)
        noise_sd = self.beliefs.marginals(pool.combinations[:1])[0].noise_sd
        return lambda: joint(noise_sd, drawn[:, : len(known)], drawn[:, len(known) :])

    def _utilities(self, combinations: Combinations) -> FloatArray:
        with torch.no_grad():
            rated = self.rule.utility(self.beliefs.marginals(combinations))
        utilities: FloatArray = rated.double().cpu().numpy()
        return utilities

    def _excluded(self, picks: Picks) -> IntArray:
        return np.union1d(self.request.taken, picks.array())


def _part_of(progress: Progress, done: float, span: float) -> Progress:
    return lambda share, doing: progress(done + share * span, doing)
