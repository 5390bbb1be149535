import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.bagging import bagging_masks

identities = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20, unique=True)


@settings(max_examples=25, deadline=None)
@given(identities, st.integers(0, 2**63 - 1), st.randoms(use_true_random=False))
def test_a_mask_depends_on_the_well_alone(wells, seed, shuffler):
    plain = bagging_masks(seed, 6, np.array(wells, dtype=np.uint64), 0.5)
    order = list(range(len(wells)))
    shuffler.shuffle(order)
    turned = bagging_masks(seed, 6, np.array(wells, dtype=np.uint64)[order], 0.5)

    np.testing.assert_array_equal(turned, plain[:, order])


def test_each_member_sees_about_its_share_of_wells_that_follow_one_another():
    masks = bagging_masks(3, 16, np.arange(4000, dtype=np.uint64), 0.75)

    assert np.abs(masks.mean(axis=1) - 0.75).max() < 0.03
    assert np.abs(np.corrcoef(masks)[~np.eye(16, dtype=bool)]).max() < 0.08
