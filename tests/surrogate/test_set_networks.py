import numpy as np
import torch

from loop.contracts.surrogate import every_kind, observations, problem
from surrogate.encoding import Encoder
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings
from surrogate.set_networks import SetNetworks


def setting(asked):
    here = problem().representations
    whitenings = Whitenings.of(here, 4)
    prior = PriorEvidence((), here.doses)
    device = torch.device("cpu")
    encoder = Encoder(here, whitenings.perturbagens, device, torch.float32, prior)
    contexts = torch.tensor(whitenings.context_columns(here), dtype=torch.float32)
    sizes = (3, encoder.rank, len(here.perturbagens), contexts.shape[1], 5)
    networks = SetNetworks.begun(sizes, torch.Generator().manual_seed(0))
    return networks, (*encoder(asked), contexts)


def test_the_empty_set_has_zeros():
    networks, inputs = setting(every_kind())

    features = networks(*inputs)

    assert features.shape == (3, len(every_kind()), 15)
    assert (features[:, 0] == 0).all()
    assert (features[:, 1] != 0).any()


def test_one_perturbagen_has_no_pairs():
    networks, inputs = setting(every_kind())

    torch.testing.assert_close(networks(*inputs)[:, 1, 5:10], torch.zeros(3, 5))


def test_a_network_learns_nothing_from_rows_of_weight_zero():
    training = observations(40)
    networks, inputs = setting(training.combinations)
    weights = torch.ones(3, 40, 2)
    weights[:, 30:] = 0.0
    values = torch.tensor(training.values, dtype=torch.float32)
    odd = values.clone()
    odd[30:] = 99.0

    first, second = (networks.trained(inputs, each, weights, 5) for each in (values, odd))

    np.testing.assert_array_equal(first.items, second.items)


def test_training_lowers_the_error_through_a_linear_head():
    training = observations(40)
    networks, inputs = setting(training.combinations)
    values = torch.tensor(training.values, dtype=torch.float32)

    def left(some):
        features = torch.cat([some(*inputs)[0], torch.ones(40, 1)], dim=1)
        fitted = features @ torch.linalg.lstsq(features, values).solution
        return float((values - fitted).square().mean())

    assert left(networks.trained(inputs, values, torch.ones(3, 40, 2), 100)) < left(networks)
