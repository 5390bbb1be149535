"""What is predicted of several readouts, in words that follow the first prediction."""

from collections.abc import Sequence

from acquisition.belief.marginals import Marginals
from loop.domain.goal import Readout

_NINETY = 1.6448536269514722


def of_each(beliefs: Sequence[Marginals], readouts: Sequence[Readout]) -> list[str]:
    """` of a, 0.3 ± 1.2 sd of b` for each candidate; nothing where there is one readout."""
    count = beliefs[0].means.shape[1]
    if len(readouts) < 2:
        return [""] * count
    said = [f" of {readouts[0].name}"] * count
    for belief, readout in zip(beliefs[1:], readouts[1:], strict=True):
        unit = f" {readout.unit}" if readout.unit else ""
        means, widths = belief.mean.tolist(), (_NINETY * belief.sd).tolist()
        said = [
            f"{before}, {mean:.3g} ± {width:.3g}{unit} of {readout.name}"
            for before, mean, width in zip(said, means, widths, strict=True)
        ]
    return said
