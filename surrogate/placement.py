"""Where torch computes: device, dtype, and how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from loop.domain.errors import InvalidError
from loop.ports.arrays import FloatArray
from loop.ports.engine import Compute

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and a dtype that this machine has."""

    device: torch.device
    dtype: torch.dtype
    threads: int

    @classmethod
    def of(cls, compute: Compute) -> "Placement":
        """Check a `Compute` against this machine.

        Raises:
            InvalidError: If there is no such device or dtype.
        """
        if compute.dtype not in _DTYPES:
            msg = f"compute dtype {compute.dtype!r}: expected one of {', '.join(_DTYPES)}."
            raise InvalidError(msg)
        try:
            device = torch.device(compute.device)
        except RuntimeError as error:
            msg = f"compute device {compute.device!r}: expected 'cpu', 'cuda' or 'cuda:0'."
            raise InvalidError(msg) from error
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            msg = (
                f"compute device {compute.device!r}: this machine has "
                f"{torch.cuda.device_count()} CUDA devices; use 'cpu'."
            )
            raise InvalidError(msg)
        return cls(device, _DTYPES[compute.dtype], compute.threads)

    def tensor(self, array: FloatArray) -> Tensor:
        """A copy of an array, on the device and in the dtype."""
        return torch.tensor(array, dtype=self.dtype, device=self.device)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Use the wanted number of CPU threads inside, and leave torch as it was."""
        before = torch.get_num_threads()
        if self.threads:
            torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
