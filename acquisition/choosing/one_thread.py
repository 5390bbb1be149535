"""Small steps on one thread."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread inside, and as before outside.

    MKL shares out even a few thousand logarithms. On a busy machine the threads then wait for
    each other fifty times as long as the work takes, and on an idle one they gain next to nothing.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
