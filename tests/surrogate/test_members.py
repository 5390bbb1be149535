import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.ports.arrays import Combinations, Representations
from surrogate.encoding import Encoder
from surrogate.manipulator import Shape
from surrogate.members import Members
from surrogate.optimiser import BlockAdam, clipping
from surrogate.path_scales import PathScales
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings

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
    prior = PriorEvidence((), representations.doses)
    device = torch.device("cpu")
    encoder = Encoder(representations, whitenings.perturbagens, device, torch.float64, prior)
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
    gradient = torch.tensor([[1e6] * 4, [0.1] * 4])

    factors, squares = clipping([gradient], 1.0)

    torch.testing.assert_close((gradient * factors[:, None])[0].norm(), torch.tensor(1.0))
    assert factors[1] == 1.0
    torch.testing.assert_close(squares[0][1], torch.tensor(0.04))


def test_block_adam_keeps_the_proportions_within_a_member():
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    optimiser = BlockAdam([parameter])
    parameter.grad = torch.tensor([[3.0, 1.0], [0.0, 5.0]])

    optimiser.step(0.1, 1)

    torch.testing.assert_close(parameter[0, 0] / parameter[0, 1], torch.tensor(3.0))
    torch.testing.assert_close(
        parameter.detach().square().mean(dim=1).sqrt(), torch.full((2,), 0.1)
    )


def test_a_parameter_is_pulled_along_the_gradient_of_its_prior():
    members, _ = built()
    for each in members.anchors():
        each.pull(0.5)
    pulled = [each.parameter.grad.clone() for each in members.anchors()]
    members.zero_grad()

    torch.autograd.backward(0.5 * members.prior().sum())

    for mine, anchor in zip(pulled, members.anchors(), strict=True):
        torch.testing.assert_close(mine, anchor.parameter.grad)


def test_a_part_predicts_what_its_members_predict_and_shares_their_memory():
    members, _ = built()
    asked = a_set([0, 5, 13], [0, 1, 2], 2)
    part = members.part(slice(1, 3))

    torch.testing.assert_close(predicted(part, asked), predicted(members, asked)[1:])
    with torch.no_grad():
        part.decoder.bias.add_(1.0)

    torch.testing.assert_close(predicted(part, asked), predicted(members, asked)[1:])
    assert (part.shape.members, members.shape.members) == (2, 3)


def test_of_a_perturbagen_that_nobody_knows_members_think_differently_but_expect_nothing():
    shape = Shape(40, 6, PERTURBAGENS, 1, 0, SLOTS, 8, 5, 4, 2, False)
    generator = torch.Generator().manual_seed(1)
    members = Members(shape, SCALES, torch.zeros(1, 0), torch.arange(12), generator).double()
    control, stranger = (predicted(members, a_set(*each, 0)) for each in (([], []), ([19], [0])))
    known = predicted(members, a_set([13], [0], 0))

    assert (stranger - control).std(dim=0).mean() == pytest.approx(SCALES.own_effect, rel=0.5)
    assert (stranger - control).mean(dim=0).abs().max() < 0.5 * SCALES.own_effect
    torch.testing.assert_close(known, control)


def test_in_a_context_that_nobody_has_met_members_think_differently():
    members, _ = built()
    asked = [a_set([3], [0], context) for context in range(3)]
    before = [predicted(members, each) for each in asked]

    members.manipulator.enter(torch.tensor([0, 2]), first=True)
    after = [predicted(members, each) for each in asked]
    members.manipulator.enter(torch.tensor([1]), first=False)

    assert torch.equal(after[0], before[0])
    assert torch.equal(after[2], before[2])
    assert (after[1] - before[1]).std(dim=0).min() > 0.1
    assert torch.equal(predicted(members, asked[1]), before[1])
