"""A way to rate candidates, by themselves and together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from acquisition.belief.marginals import Marginals
from acquisition.choosing.contributions import Scale
from acquisition.choosing.gains import Gains
from acquisition.scan import Utility


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to rate candidates.

    Attributes:
        utility: Rates each by itself, shape (N,); larger is better.
        clause: Says the same of each in words that follow the prediction, or nothing.
        favourites: Rates each for every member, shape (S, N), where stage two would miss what
            only some members like; None where it would not.
        joint: Builds the gains from the noise SD of the first readout and joint draws of what is
            pending or chosen already, shape (S, C, R), and of the pool, shape (S, K, R). None: the
            utilities. Gains that only shrink should be `ShrinkingGains`: they are chosen from
            without looking at them all.
        readouts: Which R readouts are asked for, by their place.
        scale: What the scores mean where they are added up.
        brings: What the batch's value is called in a sentence, such as "expected hits"; empty:
            nothing is said of it.
        mixes: Whether `joint` may be given random mixtures of the members where there are fewer
            than 4 q of them; where not, it gets the members as they are.
    """

    utility: Utility
    clause: Callable[[tuple[Marginals, ...]], Sequence[str]]
    favourites: Utility | None = None
    joint: Callable[[float, Tensor, Tensor], Gains] | None = None
    readouts: tuple[int, ...] = (0,)
    scale: Scale = Scale.AMOUNT
    brings: str = ""
    mixes: bool = True
