"""How much each path of a manipulator may do, from the variances that explain the data best.

The paths of a manipulator that starts at zero are, to first order, the parts of a set kernel
(Neal, 1996; Jacot et al., 2018). So the variances that maximise the marginal likelihood of the
Gaussian process with that kernel say how large each path should be before training begins:
interaction scores are mostly pairwise and a perturbagen's own, single effects mostly follow URs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import FloatArray, TrainingSet
from surrogate.encoding import Encoder
from surrogate.set_kernel import Encoded, SetKernel
from surrogate.variances import first_guess, learned_variances

_FREE_SHARE = 0.25
_MOST_ROWS = 384
_STEPS = 40


@dataclass(frozen=True, slots=True)
class PathScales:
    """Prior SDs in standard units: effects from URs, own effects, pairs, the free path, contexts.

    `gain` and `pair_gain` are SDs of a context's factor on effects and on pairs; `noise` is the
    SD of one well; `prior` are the SDs of the slopes on columns of prior evidence, shape (F,).
    """

    effect: float
    own_effect: float
    pairwise: float
    free: float
    context: float
    gain: float
    pair_gain: float
    noise: float
    prior: tuple[float, ...] = ()

    @classmethod
    def of(cls, names: tuple[str, ...], logs: Tensor, prior: tuple[str, ...] = ()) -> "PathScales":
        """The scales for log variances of named parts of the set kernel, the noise last.

        Shape of `logs`: (m, parts + 1); readouts share the geometric mean. `prior` names the parts
        that are columns of prior evidence.
        """
        values = torch.exp(logs.mean(dim=0)).tolist()
        variance: Mapping[str, float] = dict(zip((*names, "noise"), values, strict=True))
        additive = variance["additive UR"] + variance["additive identity"]
        by_context = variance.get("additive UR by context", 0.0) + variance.get(
            "additive identity by context", 0.0
        )
        return cls(
            effect=variance["additive UR"] ** 0.5,
            own_effect=variance["additive identity"] ** 0.5,
            pairwise=variance["pairwise"] ** 0.5,
            free=(_FREE_SHARE * variance["additive UR"]) ** 0.5,
            context=variance.get("context", 1.0) ** 0.5,
            gain=(by_context / additive) ** 0.5 if by_context else 1.0,
            pair_gain=(variance.get("pairwise by context", 1.0) / variance["pairwise"]) ** 0.5,
            noise=variance["noise"] ** 0.5,
            prior=tuple(variance[name] ** 0.5 for name in prior),
        )


def learned_logs(
    encoder: Encoder,
    kernel: SetKernel,
    training: TrainingSet,
    standard: FloatArray,
    before: Tensor | None,
    rng: np.random.Generator,
) -> Tensor:
    """Log variances of the kernel's parts and of the noise, shape (m, parts + 1).

    Learned from at most 384 rows drawn at random, starting from those learned before, if any.
    """
    drawn = np.sort(rng.choice(len(training), min(len(training), _MOST_ROWS), replace=False))
    part = training[drawn]
    encoded = Encoded(*encoder(part.combinations))
    parts = kernel.between(encoded, encoded)
    learned = []
    for readout, values in enumerate(standard[drawn].T):
        rows = np.flatnonzero(np.isfinite(values))
        wells = np.maximum(part.replicates[rows, readout], 1)
        learned.append(
            learned_variances(
                parts[:, rows][:, :, rows],
                torch.as_tensor(values[rows], device=parts.device),
                torch.as_tensor(wells, device=parts.device).to(parts.dtype),
                first_guess(len(parts)) if before is None else before[readout],
                _STEPS if before is None else _STEPS // 2,
            )
        )
    return torch.stack(learned)
