import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.ports.arrays import Combinations, Representations
from surrogate.encoding import Encoder
from surrogate.manipulator import Shape
from surrogate.members import Members
from surrogate.optimiser import BlockAdam
from surrogate.path_scales import PathScales
from surrogate.training import clip_each_member
from surrogate.whitening import Whitenings

PERTURBAGENS, SLOTS = 20, 15
SCALES = PathScales(0.4, 0.5, 0.6, 0.3, 0.7, 0.8, 0.9, 1.0)


def built(contexts=3):
    rng = np.random.default_rng(0)
    doses = np.tile([-1.0, 0.0, 2.0], (PERTURBAGENS, 1))
    representations = Representations(
        rng.normal(size=(PERTURBAGENS, 6)),
        np.arange(PERTURBAGENS) < 15,
        np.eye(contexts),
        doses,
    )
    whitenings = Whitenings.of(representations, 6)
    encoder = Encoder(representations, whitenings.perturbagens, torch.device("cpu"), torch.float64)
    columns = torch.as_tensor(whitenings.context_columns(representations))
    shape = Shape(3, 6, PERTURBAGENS, contexts, columns.shape[1], SLOTS, 8, 5, 4, 2, True)
    generator = torch.Generator().manual_seed(1)
    members = Members(shape, SCALES, columns, torch.arange(12), generator).double()
    with torch.no_grad():
        for parameter in members.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return members, encoder


MEMBERS, ENCODER = built()


def predicted(members, combinations):
    items, rows = ENCODER(combinations)
    with torch.no_grad():
        return members(members.tables(items), rows)


def states(members, combinations):
    items, rows = ENCODER(combinations)
    with torch.no_grad():
        vectors, context = members.tables(items)
        return members.manipulator(vectors, context, rows, members.scales), context


def a_set(components, levels, context):
    padded = np.full((2, 1, SLOTS), -1)
    padded[0, 0, : len(components)] = components
    padded[1, 0, : len(components)] = levels
    return Combinations(padded[0], padded[1], np.array([context]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 19), max_size=SLOTS, unique=True), st.integers(0, 2), st.data())
def test_any_set_means_the_same_in_any_order(components, context, data):
    turned = data.draw(st.permutations(components))

    plain = predicted(MEMBERS, a_set(components, [each % 3 for each in components], context))
    other = predicted(MEMBERS, a_set(turned, [each % 3 for each in turned], context))

    torch.testing.assert_close(plain, other)


@pytest.mark.parametrize("context", [0, 1, 2])
def test_the_empty_set_leaves_the_state_exactly_as_it_was(context):
    altered, table = states(MEMBERS, a_set([], [], context))

    assert torch.equal(altered[:, 0], table.state[:, context])


def test_dose_and_context_change_what_a_perturbagen_does():
    plain = predicted(MEMBERS, a_set([3], [0], 0))

    assert not torch.allclose(plain, predicted(MEMBERS, a_set([3], [2], 0)))
    assert not torch.allclose(plain, predicted(MEMBERS, a_set([3], [0], 1)))


def test_meeting_new_perturbagens_changes_no_prediction_about_old_ones():
    members, _ = built()
    asked = a_set([0, 5, 11], [0, 1, 2], 1)
    before = predicted(members, asked)

    members.manipulator.meet(torch.tensor([3, 14, 19]), torch.Generator().manual_seed(2))

    assert members.manipulator.seen.tolist() == [*range(12), 14, 19]
    torch.testing.assert_close(predicted(members, asked), before)


def test_new_scales_change_no_prediction():
    members, _ = built()
    asked = a_set([0, 5, 13], [0, 1, 2], 2)
    before = predicted(members, asked)

    members.rescale(PathScales(0.1, 0.2, 0.3, 0.9, 0.4, 0.2, 0.3, 0.5))

    torch.testing.assert_close(predicted(members, asked), before)


def test_the_decoder_rescales_exactly():
    members, _ = built()
    asked = a_set([0, 13], [0, 1], 2)
    before = predicted(members, asked)
    factor, offset = torch.tensor([2.0, 0.5]).double(), torch.tensor([-1.0, 3.0]).double()

    members.decoder.rescale(factor, offset)

    torch.testing.assert_close(predicted(members, asked), before * factor + offset)


def test_one_member_with_a_huge_gradient_does_not_slow_the_others():
    parameter = torch.nn.Parameter(torch.zeros(2, 4))
    parameter.grad = torch.tensor([[1e6] * 4, [0.1] * 4])

    clip_each_member([parameter])

    torch.testing.assert_close(parameter.grad[0].norm(), torch.tensor(1.0))
    torch.testing.assert_close(parameter.grad[1], torch.full((4,), 0.1))


def test_block_adam_keeps_the_proportions_within_a_member():
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    optimiser = BlockAdam([parameter])
    parameter.grad = torch.tensor([[3.0, 1.0], [0.0, 5.0]])

    optimiser.step(0.1)

    torch.testing.assert_close(parameter[0, 0] / parameter[0, 1], torch.tensor(3.0))
    torch.testing.assert_close(
        parameter.detach().square().mean(dim=1).sqrt(), torch.full((2,), 0.1)
    )
