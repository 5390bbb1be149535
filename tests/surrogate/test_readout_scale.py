import numpy as np

from surrogate.readout_scale import ReadoutScale


def test_a_readout_that_never_varies_has_a_scale_of_one():
    scale = ReadoutScale.of(np.array([[3.0, np.nan], [3.0, np.nan]]))

    np.testing.assert_array_equal(scale.mean, [3.0, 0.0])
    np.testing.assert_array_equal(scale.sd, [1.0, 1.0])
