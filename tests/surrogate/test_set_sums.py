import pytest
import torch

from surrogate.set_sums import set_sums


def tables(slots, seed=0):
    generator = torch.Generator().manual_seed(seed)
    plain = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    factors = torch.randn(2, 6, 8, generator=generator, dtype=torch.float64)
    places = torch.randint(0, 6, (5, slots), generator=generator)
    return plain, factors, places


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_sums_over_items_and_over_pairs_of_different_items(slots):
    plain, factors, places = tables(slots)

    summed, pairs = set_sums(plain, factors, places)

    left, right = (each[:, places] for each in factors.chunk(2, dim=2))
    expected = sum(
        (left[:, :, i] * right[:, :, j] for i in range(slots) for j in range(slots) if i != j),
        start=torch.zeros(2, 5, 4, dtype=torch.float64),
    )
    torch.testing.assert_close(summed, plain[:, places].sum(dim=2))
    torch.testing.assert_close(pairs, expected)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_the_gradient_is_right(slots):
    plain, factors, places = tables(slots)

    assert torch.autograd.gradcheck(
        set_sums, (plain.requires_grad_(), factors.requires_grad_(), places)
    )
