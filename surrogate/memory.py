"""Telling that memory ran out from everything else that may go wrong."""

import torch

_SIGNS = ("can't allocate memory", "not enough memory", "cannot allocate memory")


def ran_out(error: BaseException) -> bool:
    """Whether an error means that a device's or the machine's memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch's allocator on CPUs raises a plain RuntimeError; its words are all there is to go by.
    return isinstance(error, RuntimeError) and any(each in str(error).lower() for each in _SIGNS)
