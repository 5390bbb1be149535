"""Memory that runs out: injected where torch allocates, and for real in a child with little."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from loop.contracts.surrogate import every_kind, observations, problem
from loop.domain.errors import InvalidError
from surrogate.ensemble import Ensemble
from surrogate.memory import ran_out


class Little(TorchDispatchMode):
    """No operation may answer with a tensor of more than `most` numbers."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error, self.refused = most, error, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        answer = func(*args, **(kwargs or {}))
        large = isinstance(answer, torch.Tensor) and answer.numel() > self.most
        # What lies in the memory of an argument takes none of its own.
        if large and answer.untyped_storage().data_ptr() not in _storages(args):
            self.refused += 1
            raise self.error
        return answer


def _storages(args):
    return {each.untyped_storage().data_ptr() for each in args if isinstance(each, torch.Tensor)}


CUDA = torch.OutOfMemoryError("CUDA out of memory.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")


def fitted(progress=lambda *_: None, **settings):
    ensemble = Ensemble(problem(members=8, steps=20, width=16, interaction=16, **settings))
    ensemble.fit(observations(60), np.random.default_rng(1), progress)
    return ensemble


def test_only_a_lack_of_memory_is_taken_for_one():
    assert ran_out(CUDA)
    assert ran_out(CPU)
    assert ran_out(MemoryError())
    assert not ran_out(RuntimeError("expected m1 and m2 to have the same dtype"))


@pytest.mark.parametrize("error", [CUDA, CPU])
def test_members_take_turns_where_memory_runs_out_and_learn_the_same(monkeypatch, error):
    plain = fitted()
    told = []
    limited = Little(8 * 10 * 60 - 1, error)
    limit_steps(monkeypatch, limited)

    tight = fitted(lambda _, doing: told.append(doing))

    assert limited.refused > 0
    assert "memory ran out: at most" in told[-1]
    alike(plain.believe(every_kind()), tight.believe(every_kind()))
    alike(plain.out_of_fold(), tight.out_of_fold())


def test_a_single_member_takes_a_minibatch_in_pieces(monkeypatch):
    plain = fitted()
    # One member's pair factors at 60 rows are 60 x 32 numbers.
    little = Little(60 * 32 // 3, CPU)
    limit_steps(monkeypatch, little)
    told = []

    tight = fitted(lambda _, doing: told.append(doing))

    assert little.refused > 8
    assert "at most 1 members" in told[-1]
    alike(plain.believe(every_kind()), tight.believe(every_kind()))


def test_without_any_memory_there_is_a_sentence(monkeypatch):
    limit_steps(monkeypatch, Little(3, CPU))

    with pytest.raises(InvalidError, match="not enough memory"):
        fitted()


def test_prediction_takes_smaller_tiles_and_then_members_in_turn(monkeypatch):
    ensemble = fitted()
    asked = every_kind()[np.tile(np.arange(7), 300)]
    plain = ensemble.believe(asked)
    for most in (8 * 400 * 16, 8 * 60 * 16, 2 * 60 * 16):
        with Little(most, CPU) as little:
            alike(plain, ensemble.believe(asked), 1e-5)
        assert little.refused > 0


def test_another_error_is_not_held_for_a_lack_of_memory():
    with (
        Little(3, RuntimeError("shapes do not match")),
        pytest.raises(RuntimeError, match="shapes"),
    ):
        fitted().believe(every_kind())


def limit_steps(monkeypatch, limit):
    """Let memory be little while gradients are computed, and only then."""
    from surrogate import learners

    whole = learners.loss

    def loss(*arguments):
        with limit:
            return whole(*arguments)

    monkeypatch.setattr(learners, "loss", loss)


def alike(one, other, tolerance=1e-3):
    for name in ("mean", "epistemic_sd", "aleatoric_sd"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance
        )


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_the_words_of_torchs_own_allocator_are_understood():
    script = (
        "import resource, torch\n"
        "from surrogate.memory import ran_out\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))\n"
        "try:\n    torch.empty(2**36)\n"
        "except RuntimeError as error:\n    print(ran_out(error), error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert said.stdout.startswith("True"), said
