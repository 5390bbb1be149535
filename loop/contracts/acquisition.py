"""What every acquisition owes, as tests."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from loop.domain.errors import InvalidError, NotEnoughCandidatesError
from loop.ports.arrays import Combinations, IntArray
from loop.ports.engine import Acquisition, BatchRequest, Chosen, Group


class AcquisitionContract:
    """Laws of `Acquisition`. Subclass it, and give the first two fixtures; others if you can.

    `asked` must be small enough to be enumerated (a few hundred addresses), leave at least 12
    candidates after what is taken, take at least one, have no `max_uses`, use every
    perturbagen of the library in some candidate, and ask for 4.
    """

    indifferent: ClassVar[tuple[Mapping[str, str | int | float | bool], ...]] = ()
    """Settings that must not change what is chosen, such as the size of a shard."""

    @pytest.fixture
    def acquisition(self) -> Acquisition:
        """The acquisition under test."""
        raise NotImplementedError

    @pytest.fixture
    def asked(self) -> BatchRequest:
        """A request as described above."""
        raise NotImplementedError

    @pytest.fixture
    def mirrored(self) -> BatchRequest | None:
        """`asked` with every readout negated: the goal, its thresholds and the surrogate too.

        None where that means nothing.
        """
        return None

    @pytest.fixture
    def rescaled(self) -> BatchRequest | None:
        """`asked` with every readout times a positive number plus another.

        Values, thresholds, best and targets, what was observed, and what the surrogate predicts.
        None where that means nothing.
        """
        return None

    @pytest.fixture
    def permuted(self) -> tuple[BatchRequest, IntArray] | None:
        """`asked` with another order of the library, and the new place of each perturbagen, (P,).

        No two candidates may be exactly alike, for chance decides between those. None where
        chance decides everything.
        """
        return None

    def test_it_chooses_as_many_distinct_candidates_as_asked(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Each with a finite score and a reason of one sentence."""
        chosen = _choose(acquisition, asked)

        assert len(set(chosen.addresses.tolist())) == len(chosen.addresses) == asked.size
        assert chosen.scores.shape == (asked.size,)
        assert np.isfinite(chosen.scores).all()
        assert len(chosen.reasons) == asked.size
        assert all(reason.strip() and reason.endswith(".") for reason in chosen.reasons)

    def test_nothing_taken_or_forbidden_is_chosen(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Whatever it asks for, up to all that is left."""
        on_offer = set(_on_offer(asked).tolist())

        for size in (asked.size, len(on_offer)):
            chosen = _choose(acquisition, replace(asked, size=size))

            assert set(chosen.addresses.tolist()) <= on_offer

    def test_all_that_is_left_can_be_chosen(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Also when it is a single candidate."""
        on_offer = _on_offer(asked)
        taken = np.setdiff1d(np.arange(len(asked.space)), on_offer[-1:])

        assert sorted(_choose(acquisition, replace(asked, size=len(on_offer))).addresses) == list(
            on_offer
        )
        last = _choose(acquisition, replace(asked, size=1, taken=taken))
        assert last.addresses.tolist() == [on_offer[-1]]

    def test_the_same_seed_gives_the_same_choice(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Addresses, scores and reasons."""
        one, two = _choose(acquisition, asked), _choose(acquisition, asked)

        assert one.addresses.tolist() == two.addresses.tolist()
        assert one.scores.tolist() == two.scores.tolist()
        assert one.reasons == two.reasons

    def test_the_request_is_left_as_it_was(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Its arrays in particular."""
        taken, uses = asked.taken.copy(), asked.limits.uses.copy()

        _choose(acquisition, _limited(asked, 2, uses))

        assert asked.taken.tolist() == taken.tolist()
        assert asked.limits.uses.tolist() == uses.tolist()

    def test_no_perturbagen_is_used_more_often_than_allowed(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Counting those uses that were fixed before."""
        free = _choose(acquisition, asked)
        favourite = asked.space.unrank(free.addresses[:1]).components[0]
        uses = np.zeros_like(asked.limits.uses)
        uses[favourite[favourite >= 0]] = 2

        limited = _limited(asked, 2, uses)
        total = uses + _uses(asked, _choose(acquisition, limited).addresses)

        assert total.max() <= 2

    def test_a_batch_larger_than_what_is_left_is_refused(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """With both numbers."""
        left = len(_on_offer(asked))

        with pytest.raises(NotEnoughCandidatesError) as refusal:
            _choose(acquisition, replace(asked, size=left + 1))
        assert str(left) in str(refusal.value)
        assert str(left + 1) in str(refusal.value)

    def test_a_batch_that_max_uses_leaves_no_room_for_is_refused(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Rather than made smaller."""
        spent = _limited(asked, 1, np.ones_like(asked.limits.uses))

        with pytest.raises(NotEnoughCandidatesError):
            _choose(acquisition, spent)

    def test_an_unknown_setting_is_refused_by_name(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """A misspelt setting must not be passed over."""
        with pytest.raises(InvalidError, match="no-such-setting"):
            _choose(acquisition, replace(asked, settings={"no-such-setting": 1}))
        with pytest.raises(InvalidError, match="no-such-setting"):
            acquisition.check({"no-such-setting": 1})
        acquisition.check(asked.settings)

    def test_settings_that_only_concern_speed_do_not_change_the_choice(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Such as the size of a shard."""
        usual = _choose(acquisition, asked)

        for settings in self.indifferent:
            other = _choose(acquisition, replace(asked, settings=settings))
            assert other.addresses.tolist() == usual.addresses.tolist(), settings

    def test_negating_everything_changes_nothing(
        self, acquisition: Acquisition, asked: BatchRequest, mirrored: BatchRequest | None
    ) -> None:
        """Maximising y is minimising -y; a hit of y is a hit of -y."""
        if mirrored is None:
            pytest.skip("mirrored is not given")
        one, two = _choose(acquisition, asked), _choose(acquisition, mirrored)

        assert one.addresses.tolist() == two.addresses.tolist()
        assert np.allclose(one.scores, two.scores)

    def test_rescaling_a_readout_changes_nothing(
        self, acquisition: Acquisition, asked: BatchRequest, rescaled: BatchRequest | None
    ) -> None:
        """A unit is a matter of taste."""
        if rescaled is None:
            pytest.skip("rescaled is not given")
        one, two = _choose(acquisition, asked), _choose(acquisition, rescaled)

        assert one.addresses.tolist() == two.addresses.tolist()
        assert np.allclose(one.contributions, two.contributions, rtol=0.01, equal_nan=True)

    def test_the_order_of_the_library_changes_nothing(
        self,
        acquisition: Acquisition,
        asked: BatchRequest,
        permuted: tuple[BatchRequest, IntArray] | None,
    ) -> None:
        """The same perturbations by other numbers, in the same order."""
        if permuted is None:
            pytest.skip("permuted is not given")
        other, places = permuted
        usual = asked.space.unrank(_choose(acquisition, asked).addresses)
        moved = other.space.unrank(_choose(acquisition, other).addresses)

        renamed = np.append(places, -1)[usual.components]
        assert np.sort(renamed).tolist() == np.sort(moved.components).tolist()
        assert usual.contexts.tolist() == moved.contexts.tolist()

    def test_what_is_pending_is_not_proposed_again(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """A batch that went to the lab is followed by another, disjoint one."""
        first = _choose(acquisition, asked).addresses
        pending = Combinations.joined([asked.pending, asked.space.unrank(first)])
        taken = np.union1d(asked.taken, first)

        second = _choose(acquisition, replace(asked, pending=pending, taken=taken)).addresses

        assert not set(first.tolist()) & set(second.tolist())

    def test_money_lasts_to_the_end_of_the_batch(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """A budget a little above the cheapest batch is not overdrawn, and fills it."""
        every = asked.space.unrank(_on_offer(asked)).components
        costs = (1 + np.arange(len(asked.limits.uses)) % 5).astype(np.float64)
        prices = np.append(costs, 0.0)[every].sum(axis=1) + 0.5
        money = float(1.2 * np.sort(prices)[: asked.size].sum())
        limits = replace(asked.limits, costs=costs, well_cost=0.5, money=money)

        chosen = _choose(acquisition, replace(asked, limits=limits)).addresses

        spent = np.append(costs, 0.0)[asked.space.unrank(chosen).components].sum()
        assert len(set(chosen.tolist())) == asked.size
        assert spent + 0.5 * asked.size <= money + 1e-6

    def test_groups_get_their_share_and_no_more(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """At least two choices with the perturbagen that most candidates hold; then at most one."""
        every = asked.space.unrank(_on_offer(asked)).components
        counts = np.bincount(every[every >= 0], minlength=len(asked.limits.uses))
        members = np.arange(len(counts)) == counts.argmax()

        for bounds, least, most in (({"at_least": 2}, 2, asked.size), ({"at_most": 1}, 0, 1)):
            groups = (Group("the commonest", members, **bounds),)
            limited = replace(asked, limits=replace(asked.limits, groups=groups))
            chosen = asked.space.unrank(_choose(acquisition, limited).addresses).components
            assert least <= int(np.append(members, False)[chosen].any(axis=1).sum()) <= most

    def test_asking_for_diversity_leaves_the_batch_full(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Likeness counts against a candidate, but forbids none."""
        for size in (asked.size, len(_on_offer(asked))):
            limits = replace(asked.limits, diversity=1.0)
            chosen = _choose(acquisition, replace(asked, size=size, limits=limits)).addresses
            assert len(set(chosen.tolist())) == size

    def test_contributions_are_shares_of_one_batch(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """Where they are given at all; NaN where value has no meaning."""
        chosen = _choose(acquisition, asked)

        if len(chosen.contributions) and not np.isnan(chosen.contributions).all():
            assert chosen.contributions.shape == (asked.size,)
            assert (chosen.contributions >= 0).all()
            assert chosen.contributions.sum() == pytest.approx(1.0)

    def test_ranks_are_places_among_all_that_were_rated(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """None past the last candidate; 0 says that it is not known."""
        ranks = _choose(acquisition, asked).ranks

        assert len(ranks) in (0, asked.size)
        assert (ranks >= 0).all()
        assert (ranks <= len(_on_offer(asked))).all()

    def test_values_and_notes_are_numbers_and_sentences(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """One value for each joint draw, the same whenever it is asked."""
        one, two = _choose(acquisition, asked), _choose(acquisition, asked)

        assert one.values.ndim == 1
        assert np.isfinite(one.values).all()
        assert one.values.tolist() == two.values.tolist()
        assert all(note.strip() and note.endswith(".") for note in one.notes)

    def test_progress_never_goes_back_and_may_cancel(
        self, acquisition: Acquisition, asked: BatchRequest
    ) -> None:
        """What `progress` raises comes out."""
        shares: list[float] = []
        acquisition.choose(asked, _rng(), lambda share, doing: shares.append(share))

        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] == 1

        def cancel(share: float, doing: str) -> None:
            raise KeyboardInterrupt(doing)

        with pytest.raises(KeyboardInterrupt):
            acquisition.choose(asked, _rng(), cancel)


def _rng() -> np.random.Generator:
    return np.random.default_rng(20)


def _choose(acquisition: Acquisition, asked: BatchRequest) -> Chosen:
    return acquisition.choose(asked, _rng())


def _limited(asked: BatchRequest, max_uses: int, uses: IntArray) -> BatchRequest:
    return replace(asked, limits=replace(asked.limits, max_uses=max_uses, uses=uses))


def _on_offer(asked: BatchRequest) -> IntArray:
    """The addresses on offer, ascending, by enumeration."""
    every = np.arange(len(asked.space), dtype=np.int64)
    permitted = asked.space.permitted(asked.space.unrank(every))
    return np.setdiff1d(every[permitted], asked.taken)


def _uses(asked: BatchRequest, addresses: IntArray) -> IntArray:
    components = asked.space.unrank(addresses).components
    counts = np.bincount(components[components >= 0], minlength=len(asked.limits.uses))
    return counts.astype(np.int64)
