"""How exactly to train on a GPU: full float32, TF32 products, or bf16 activations; compiled or not.

On a CPU every choice means float32 as it is: bf16 does not pay at these sizes, and compiling asks
for a C++ compiler at run time.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import torch

from loop.domain.errors import InvalidError
from surrogate.settings import Setting

KINDS = ("float32", "tf32", "bf16")
NAMES = ("precision", "compile")
"""The settings that are read here."""
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Precision:
    """One of `KINDS`, and whether the loss is compiled; both are for CUDA alone."""

    kind: str = "float32"
    compile: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Setting], device: torch.device) -> "Precision":
        """Read the settings `precision` and `compile`; on another device they change nothing.

        Raises:
            InvalidError: If one of them is something else.
        """
        kind, compiled = settings.get("precision", "float32"), settings.get("compile", False)
        if kind not in KINDS:
            msg = f"[surrogate] precision = {kind!r}: expected one of {', '.join(KINDS)}."
            raise InvalidError(msg)
        if not isinstance(compiled, bool):
            msg = f"[surrogate] compile = {compiled!r}: expected true or false."
            raise InvalidError(msg)
        return cls(str(kind), compiled) if device.type == "cuda" else FULL

    @contextmanager
    def computing(self, device: torch.device) -> Iterator[None]:
        """Compute so inside, and leave torch as it was."""
        if self.kind == "float32":
            yield
            return
        if self.kind == "bf16":
            with torch.autocast(device.type, dtype=torch.bfloat16):
                yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    def compiled(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, compiled if that was asked for."""
        return torch.compile(function, dynamic=True) if self.compile else function


FULL = Precision()
