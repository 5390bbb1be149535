"""The same ensemble on a CPU and on CUDA; on a machine without CUDA this skips and says so."""

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import every_kind, observations, problem
from loop.domain.errors import InvalidError
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.ensemble import Ensemble
from surrogate.precision import FULL, Precision

on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine"
)


def on(device, **settings):
    asked = problem(members=8, steps=40, **settings)
    return SurrogateProblem(
        asked.representations, asked.slots, asked.readouts, asked.settings, Compute(device)
    )


def fitted(device, **settings):
    ensemble = Ensemble(on(device, **settings))
    ensemble.fit(observations(40), np.random.default_rng(1))
    return ensemble


def apart(one, other):
    return np.abs(one.mean - other.mean).max() / one.mean.std()


@on_cuda
def test_a_state_learned_on_a_cpu_predicts_the_same_on_cuda():
    there = Ensemble(on("cuda"))
    here = fitted("cpu")
    there.restore(here.state())

    assert apart(here.believe(every_kind()), there.believe(every_kind())) < 1e-3


@on_cuda
@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [({}, 0.01), ({"precision": "tf32"}, 0.05), ({"precision": "bf16"}, 0.2)],
)
def test_training_on_cuda_ends_near_where_it_ends_on_a_cpu(settings, tolerance):
    here, there = fitted("cpu"), fitted("cuda", **settings)

    assert apart(here.believe(every_kind()), there.believe(every_kind())) < tolerance


@on_cuda
def test_a_compiled_loss_gives_the_same_beliefs():
    plain, compiled = fitted("cuda"), fitted("cuda", compile=True)

    assert apart(plain.believe(every_kind()), compiled.believe(every_kind())) < 0.01


@pytest.mark.parametrize(
    "settings", [{"precision": "tf32"}, {"precision": "bf16"}, {"compile": True}]
)
def test_on_a_cpu_precision_changes_nothing(settings):
    plain, other = fitted("cpu"), fitted("cpu", **settings)

    assert apart(plain.believe(every_kind()), other.believe(every_kind())) == 0.0


@pytest.mark.parametrize("settings", [{"precision": "float16"}, {"compile": 1}, {"compile": "yes"}])
def test_another_precision_is_refused_with_a_sentence(settings):
    with pytest.raises(InvalidError, match=f"{next(iter(settings))} = .*expected"):
        Ensemble(on("cpu", **settings))


def test_bf16_and_tf32_hold_inside_only():
    before = torch.get_float32_matmul_precision()

    with Precision("tf32").computing(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == "high"
    with Precision("bf16").computing(torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu")

    assert torch.get_float32_matmul_precision() == before
    assert not torch.is_autocast_enabled("cpu")
    assert Precision.of({"precision": "bf16"}, torch.device("cpu")) is FULL
