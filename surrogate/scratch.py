"""Memory for intermediate results that is taken once and used again."""

import math

from torch import Tensor

_MOST_SHAPES = 64


class Scratch:
    """Named memory; a name's tensors of all shapes lie in the same place.

    It grows to the largest shape asked for. What is in it is whatever was left there.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}
        self._shaped: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """The memory of a name in a shape, with the dtype and the device of `like`."""
        shaped = self._shaped.get((name, shape))
        if shaped is None:
            shaped = self._made(name, like, shape)
        return shaped

    def _made(self, name: str, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        size = math.prod(shape)
        held = self._memory.get(name)
        if held is None or held.numel() < size:
            self._memory[name] = held = like.new_empty(size)
            self._shaped = {key: each for key, each in self._shaped.items() if key[0] != name}
        if len(self._shaped) >= _MOST_SHAPES:
            self._shaped = {}
        shaped = self._shaped[name, shape] = held[:size].view(shape)
        return shaped
