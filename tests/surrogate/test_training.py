import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import observations
from surrogate.learners import Learners, Teaching, loss
from surrogate.lesson import Lesson
from surrogate.optimiser import BlockAdam
from surrogate.placement import Placement
from surrogate.training import Schedule, train
from tests.surrogate.test_members import a_set, built, predicted

CPU = Placement(torch.device("cpu"), torch.float64, 1)


def lesson_of(encoder, members=3, count=40):
    training = observations(count, missing=0.2)
    # The members under test have 15 slots, the training set has 3.
    padded = a_set([], [], 0)
    combinations = type(padded)(
        np.pad(training.combinations.components, ((0, 0), (0, 12)), constant_values=-1),
        np.pad(training.combinations.levels, ((0, 0), (0, 12)), constant_values=-1),
        training.combinations.contexts,
    )
    training = type(training)(
        combinations,
        training.values,
        training.replicates,
        training.spread,
        training.identities,
        training.audit,
    )
    seen = np.random.default_rng(0).random((members, count)) < 0.75
    return Lesson.of(encoder, training, training.values, training.replicates, seen, CPU)


def trained(rows_per_group, threads, monkeypatch):
    from surrogate import learners

    monkeypatch.setattr(learners, "_ROWS_PER_GROUP", rows_per_group)
    members, encoder = built()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        generator = torch.Generator().manual_seed(3)
        train(members, lesson_of(encoder), Schedule(30, 0.01), generator, lambda *_: None)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return predicted(members, a_set([0, 5, 13], [0, 1, 2], 1))


def test_members_learn_the_same_together_and_in_turn_and_on_any_number_of_threads(monkeypatch):
    together = trained(10_000, 1, monkeypatch)

    torch.testing.assert_close(trained(40, 1, monkeypatch), together)
    assert torch.equal(trained(40, 2, monkeypatch), trained(40, 1, monkeypatch))


def test_a_minibatch_holds_its_own_items_alone_and_means_the_same():
    members, encoder = built()
    lesson = lesson_of(encoder)
    rows = torch.tensor([3, 0, 17])
    part = lesson.minibatch(rows)

    assert len(part.items.perturbagens) < len(lesson.items.perturbagens)
    with torch.no_grad():
        whole = members(members.tables(lesson.items), lesson.rows)[:, rows]
        torch.testing.assert_close(members(members.tables(part.items), part.rows), whole)


def test_a_value_that_a_member_must_not_see_does_not_move_it():
    members, encoder = built()
    lesson = lesson_of(encoder)
    lesson.seen[:, :] = torch.tensor([[True], [False], [True]])
    optimiser = BlockAdam([each.parameter for each in members.anchors()])
    alone = copy.deepcopy(members)

    torch.autograd.backward(loss(members, lesson, lesson.seen, 0.0))

    assert members.decoder.bias.grad[1].abs().max() == 0
    assert members.decoder.bias.grad[0].abs().max() > 0
    with Learners(alone, optimiser, 40, Teaching(40)) as learners:
        assert learners.step(lesson, 0.0, 1) == ""


@pytest.mark.parametrize("tails", [1e7, 4.0])
def test_heavy_tails_bound_what_one_value_can_do_and_light_ones_are_normal(tails):
    members, encoder = built()
    lesson = lesson_of(encoder)
    normal, heavy = (loss(members, lesson, lesson.seen, each) for each in (0.0, tails))
    lesson.values[1] += 100.0
    worse = [loss(members, lesson, lesson.seen, each) for each in (0.0, tails)]

    if tails > 1e6:
        torch.testing.assert_close(heavy, normal, rtol=1e-4, atol=0)
    else:
        assert worse[1] - heavy < 0.02 * (worse[0] - normal)


def test_the_plain_loop_that_benchmarks_compare_with_is_the_same_network():
    path = Path(__file__).parents[2] / "benchmarks" / "ensemble_step.py"
    spec = importlib.util.spec_from_file_location("ensemble_step", path)
    step = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(step)
    lesson, seen = step.lesson_of(3, 20, torch.device("cpu"))
    ensemble = step.ensemble_of(3, lesson, seen, 1)
    with torch.no_grad():
        for each in ensemble.parameters():
            each.add_(0.1 * torch.randn(each.shape, generator=torch.Generator().manual_seed(0)))
    home = ensemble.manipulator.home[lesson.items.perturbagens]

    whole = ensemble(ensemble.tables(lesson.items), lesson.rows)
    plain = [
        step.Plain(ensemble, place)(lesson.items.features, home, lesson.rows.places)
        for place in range(3)
    ]

    torch.testing.assert_close(torch.stack(plain), whole, rtol=1e-4, atol=1e-5)
