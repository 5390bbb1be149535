"""The candidate space: counted, ranked and unranked arithmetically, never listed.

`VirtualSpace` holds every combination of given orders, `ListedSpace` the rows of a file; both
are a `loop.ports.engine.CandidateSpace`. `draw` takes audit wells from either.
"""

from loop.space.drawing import Drawn, draw, is_taken
from loop.space.listed import ListedSpace
from loop.space.virtual import LARGEST, VirtualSpace

__all__ = ["LARGEST", "Drawn", "ListedSpace", "VirtualSpace", "draw", "is_taken"]
