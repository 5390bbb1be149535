"""Members that are trusted as far as their out-of-bag word goes, and doubt more about strangers.

Members answer from what is near. So a perturbagen without a UR, or a context, that was never
measured gets the spread of all predictions on top of theirs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from loop.ports.arrays import BoolArray, Combinations, FloatArray, Representations
from surrogate.out_of_bag import Jury, out_of_bag, reliability
from surrogate.plain_arrays import floats
from surrogate.solution import Arrays, Observed

_CHUNK = 8_192
UNMET = ("perturbagens", "contexts")

Speak = Callable[[Combinations], FloatArray]


@dataclass(frozen=True, slots=True)
class TrustedMembers:
    """A `Solution`.

    Attributes:
        speak: What each member says of perturbations, untrusted, shape (S, N, m).
        kept: What `speak` is made of, as arrays by name.
        trust: Factor on every member's deviation from the mean readout, shape (m,).
        noise: SD of one well, shape (m,).
        misfit: SD of the truth about the members' mean beyond their spread, shape (m,).
        signal: SD of the predictions over the training rows, shape (m,).
        unmet: Which perturbagens, without a UR, and which contexts were never measured.
        own: What each member makes of every perturbagen and context, of mean 0 and SD 1 over
            members, shape (P + C, S); it counts where they are unmet.
        fold: As in `Solution`.
    """

    speak: Speak
    kept: Arrays
    trust: FloatArray
    noise: FloatArray
    misfit: FloatArray
    signal: FloatArray
    unmet: tuple[BoolArray, BoolArray]
    own: FloatArray
    fold: tuple[FloatArray, FloatArray] = field(repr=False)

    def marginals(self, combinations: Combinations) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth, each (N, m)."""
        none = np.zeros((0, len(self.trust)))
        means, variances = [none], [none]
        for spoken, some in self._spoken(combinations):
            unmet = np.asarray(self._strange(some).sum(axis=1)) * self.signal**2
            means.append(spoken.mean(axis=0))
            variances.append(spoken.var(axis=0, ddof=1) + self.misfit**2 + unmet)
        return np.concatenate(means), np.concatenate(variances)

    def members(self, combinations: Combinations) -> Tensor:
        """What each member or draw says, shape (S, N, m)."""
        values = [np.zeros((self.own.shape[1], 0, len(self.trust)))]
        for spoken, some in self._spoken(combinations):
            values.append(spoken + (self._strange(some) @ self.own).T[:, :, None] * self.signal)
        return torch.as_tensor(np.concatenate(values, axis=1))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As arrays by name."""
        held = {name: getattr(self, name) for name in ("trust", "noise", "misfit", "signal", "own")}
        unmet = {f"unmet.{name}": each for name, each in zip(UNMET, self.unmet, strict=True)}
        return {**self.kept, **held, **unmet}

    def _spoken(self, combinations: Combinations) -> Iterator[tuple[FloatArray, Combinations]]:
        """What each member says, chunk by chunk, shape (S, chunk, m)."""
        for first in range(0, len(combinations), _CHUNK):
            some = combinations[slice(first, first + _CHUNK)]
            yield self.speak(some) * self.trust, some

    def _strange(self, combinations: Combinations) -> sparse.csr_matrix:
        """1 for each unmet perturbagen and context of a row, shape (N, P + C)."""
        perturbagens, contexts = self.unmet
        filled = combinations.components >= 0
        unmet = filled & perturbagens[combinations.components]
        rows, slots = np.nonzero(unmet)
        elsewhere = np.flatnonzero(contexts[combinations.contexts])
        places = [
            combinations.components[rows, slots],
            len(perturbagens) + combinations.contexts[elsewhere],
        ]
        return sparse.csr_matrix(
            (
                np.ones(len(rows) + len(elsewhere)),
                (np.concatenate([rows, elsewhere]), np.concatenate(places)),
            ),
            shape=(len(combinations), len(perturbagens) + len(contexts)),
        )


def trusted(
    speak: Speak,
    kept: Arrays,
    observed: Observed,
    seen: BoolArray,
    representations: Representations,
) -> TrustedMembers:
    """Learn trust, noise and out-of-bag beliefs; `seen` says who saw which row, (m, S, n)."""
    spoken = np.concatenate(
        [
            speak(observed.combinations[slice(first, first + _CHUNK)])
            for first in range(0, len(observed.standard), _CHUNK)
        ],
        axis=1,
    )
    juries = [out_of_bag(spoken[:, :, readout, None], mask) for readout, mask in enumerate(seen)]
    mean = np.concatenate([each.mean for each in juries], axis=1)
    variance = np.concatenate([each.variance for each in juries], axis=1)
    unknown = np.full(mean.shape, np.nan)
    found = reliability(
        Jury(mean, variance), observed.standard, observed.wells.astype(np.int64), unknown
    )
    unmet = strangers(representations, observed.combinations)
    members = len(spoken)
    own = np.random.default_rng(observed.seed).normal(size=(sum(map(len, unmet)), members))
    own = (own - own.mean(axis=1, keepdims=True)) * np.sqrt(members / (members - 1))
    return TrustedMembers(
        speak,
        kept,
        found.trust,
        found.noise,
        found.misfit,
        found.trust * spoken.mean(axis=0).std(axis=0),
        unmet,
        own,
        (found.trust * mean, found.trust**2 * variance + found.misfit**2),
    )


def reopened(
    speak: Speak, kept: Arrays, arrays: Arrays, fold: tuple[FloatArray, FloatArray]
) -> TrustedMembers:
    """The members that gave `arrays`."""
    trust, noise, misfit, signal = (
        floats(arrays[name]) for name in ("trust", "noise", "misfit", "signal")
    )
    perturbagens, contexts = (np.array(arrays[f"unmet.{name}"], dtype=bool) for name in UNMET)
    unmet = perturbagens, contexts
    own = floats(arrays["own"])
    return TrustedMembers(speak, kept, trust, noise, misfit, signal, unmet, own, fold)


def strangers(
    representations: Representations, measured: Combinations
) -> tuple[BoolArray, BoolArray]:
    """Which perturbagens, without a UR, and which contexts no observation holds: (P,), (C,)."""
    perturbagens = ~np.asarray(representations.known, dtype=bool)
    perturbagens[measured.components[measured.components >= 0]] = False
    contexts = np.ones(len(representations.contexts), dtype=bool)
    contexts[measured.contexts] = False
    return perturbagens, contexts
