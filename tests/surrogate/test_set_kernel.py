from itertools import combinations as pairs_of

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import every_kind, observations, problem
from surrogate.encoding import Encoder
from surrogate.prior_draws import Library, PriorDraws
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings
from surrogate.set_kernel import OWN, Encoded, SetKernel


@pytest.fixture
def setting():
    representations = problem().representations
    whitenings = Whitenings.of(representations, 4)
    prior = PriorEvidence((), representations.doses)
    device = torch.device("cpu")
    encoder = Encoder(representations, whitenings.perturbagens, device, torch.float64, prior)
    contexts = torch.as_tensor(whitenings.context_columns(representations))
    return encoder, contexts


def test_the_pairwise_part_is_the_sum_over_pairs_of_both_sets(setting):
    encoder, contexts = setting
    rows = Encoded(*encoder(every_kind()))
    items, places = rows.items, rows.rows.places
    near = torch.exp(-0.5 * (items.doses - items.doses.T).square())
    same = (items.perturbagens[:, None] == items.perturbagens[None, :]).double()
    own = torch.where(items.known * items.known.T > 0, OWN, 1.0)
    gram = (items.features @ items.features.T / items.features.shape[1] + own * same) * near
    members = [[int(each) for each in row if each < len(gram)] for row in places]
    expected = [
        [
            sum(
                gram[a, c] * gram[b, d] + gram[a, d] * gram[b, c]
                for a, b in pairs_of(left, 2)
                for c, d in pairs_of(right, 2)
            )
            for right in members
        ]
        for left in members
    ]

    part = SetKernel(contexts).between(rows, rows)[2]

    np.testing.assert_allclose(part, np.array(expected, dtype=float), atol=1e-9)


def test_own_is_the_diagonal_of_between(setting):
    encoder, contexts = setting
    rows = Encoded(*encoder(observations(30).combinations))
    kernel = SetKernel(contexts)

    between = kernel.between(rows, rows).diagonal(dim1=1, dim2=2)

    torch.testing.assert_close(kernel.own(rows), between)
    assert len(between) == len(kernel.names)


def test_prior_draws_have_the_covariance_of_the_kernel(setting):
    encoder, contexts = setting
    rows = Encoded(*encoder(every_kind()))
    parts = SetKernel(contexts).between(rows, rows)
    logs = torch.zeros(1, len(parts) + 1, dtype=torch.float64)
    drawn = PriorDraws(Library(encoder.rank, 9, encoder.doses_vary), contexts, logs, 4000, 5)

    values = drawn(rows)[:, :, 0]
    covariance = values.T @ values / len(values)
    expected = parts.sum(dim=0)

    torch.testing.assert_close(values.mean(dim=0), torch.zeros(len(values[0])).double())
    size = expected.diagonal().sqrt()
    assert ((covariance - expected).abs() / (size[:, None] * size + 1e-9)).max() < 0.35
