"""What is on offer: surveys, membership, uses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.limits.offer import Survey, count_left, is_in, shards
from acquisition.limits.use_limits import UseLimits
from loop.domain.errors import NotEnoughCandidatesError
from tests.acquisition.asking import TAKEN, ask


@given(
    total=st.one_of(st.integers(1, 500), st.integers(10**6, 2**62)),
    limit=st.integers(1, 200),
    shard=st.integers(1, 200),
)
def test_a_survey_sees_distinct_addresses_of_the_space_in_order(
    total: int, limit: int, shard: int
) -> None:
    survey = Survey(total, limit, salt=3)

    blocks = [
        survey.addresses(start, min(start + shard, len(survey)))
        for start in range(0, len(survey), shard)
    ]

    addresses = np.concatenate(blocks)
    assert len(addresses) == min(total, limit)
    assert (np.diff(addresses) > 0).all()
    assert addresses[0] >= 0
    assert addresses[-1] < total


def test_a_partial_survey_reaches_every_part_of_the_space_about_equally() -> None:
    seen = np.zeros(100)
    for salt in range(400):
        seen[Survey(100, 30, salt).addresses(0, 30)] += 1

    assert seen.sum() == 400 * 30
    assert 70 < seen.min() <= seen.max() < 175  # 120 expected, sd about 9


@given(st.sets(st.integers(0, 40)), st.lists(st.integers(0, 40)))
def test_membership_is_that_of_a_set(ordered: set[int], addresses: list[int]) -> None:
    asked = np.array(addresses, dtype=np.int64)

    answer = is_in(asked, np.array(sorted(ordered), dtype=np.int64))

    assert answer.tolist() == [each in ordered for each in addresses]


def test_shards_leave_out_what_is_taken_forbidden_or_used_up() -> None:
    asked = ask()
    uses = np.zeros(9, dtype=np.int64)
    uses[5] = 1

    seen = list(shards(asked, Survey(72, 100, 0), np.array(TAKEN), UseLimits(1, uses), size=10))

    addresses = np.concatenate([shard.addresses for shard in seen])
    components = np.concatenate([shard.combinations.components for shard in seen])
    assert not set(addresses.tolist()) & set(TAKEN)
    assert 36 not in addresses  # the forbidden pair in the second context
    assert 5 not in components
    assert seen[-1].share == 1.0


def test_a_taken_address_that_is_forbidden_is_not_subtracted_twice() -> None:
    assert count_left(ask()) == 70 - 6


def test_a_batch_of_one_more_than_is_left_is_refused() -> None:
    with pytest.raises(NotEnoughCandidatesError, match="needs 65 perturbations and 64 are left"):
        count_left(ask(size=65))


def test_empty_slots_use_nothing() -> None:
    space = ask().space
    pair = space.unrank(np.array([9]))
    pair.components[0] = [2, -1]
    limits = UseLimits(1, np.zeros(9, dtype=np.int64))

    limits.count(pair)

    assert not limits.allowed(pair)[0]
    pair.components[0] = [8, -1]
    assert limits.allowed(pair)[0]
    pair.components[0] = [-1, -1]
    assert limits.allowed(pair)[0]
