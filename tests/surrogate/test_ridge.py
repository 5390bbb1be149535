import numpy as np
import torch

from surrogate.ridge import fit_ridge


def data(rows=30, noise=0.5):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, rows, 4, generator=generator, dtype=torch.float64) * 3 + 1
    values = features[0] @ torch.randn(4, 3, generator=generator, dtype=torch.float64)
    return features, values + noise * torch.randn(rows, 3, generator=generator, dtype=torch.float64)


def test_without_noise_the_line_is_found():
    features, values = data(noise=0.0)

    ridge = fit_ridge(features[:1], values)

    torch.testing.assert_close(
        (features[:1] @ ridge.weight + ridge.offset)[0], values, rtol=0, atol=1e-2
    )


def test_a_left_out_row_is_predicted_as_if_it_had_never_been_there(monkeypatch):
    from surrogate import ridge as module

    monkeypatch.setattr(module, "_PENALTIES", (1e-9,))
    features, values = data()
    whole = fit_ridge(features, values)

    rest = np.delete(np.arange(30), 7)
    without = fit_ridge(features[:, rest], values[rest])

    expected = features[:, 7:8] @ without.weight + without.offset
    torch.testing.assert_close(whole.left_out[:, 7:8], expected, rtol=1e-5, atol=1e-5)


def test_where_features_say_nothing_the_mean_is_what_is_left():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 200, 10, generator=generator, dtype=torch.float64)
    values = torch.randn(200, 1, generator=generator, dtype=torch.float64)

    ridge = fit_ridge(features, values)

    assert (features @ ridge.weight).std() < 0.2
