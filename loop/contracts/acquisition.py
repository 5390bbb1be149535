"""What every acquisition owes, as tests."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from loop.domain.errors import InvalidError, NotEnoughCandidatesError
from loop.ports.arrays import IntArray
from loop.ports.engine import Acquisition, BatchRequest, Chosen


class AcquisitionContract:
    """Laws of `Acquisition`. Subclass it, and give the two fixtures.

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
