"""A deep kernel: a Gaussian process with a linear kernel on features that networks learned.

That is Bayesian linear regression on the last layer (Snoek et al., 2015), so nothing grows with
the square of the observations and draws are weights. Features fit the wells that they learned
from too well to judge them; so there are four networks, each of which never sees a quarter of the
wells, and each has a last layer of its own (`surrogate.set_networks`,
`surrogate.bayesian_regression`, `surrogate.trusted_members`).
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from loop.ports.arrays import BoolArray, Combinations, FloatArray
from loop.ports.engine import Progress
from surrogate.bagging import mixed
from surrogate.bayesian_regression import Regression, learned_group_variances
from surrogate.encoding import Encoder
from surrogate.linear_features import Columns
from surrogate.plain_arrays import floats
from surrogate.representation.whitening import Whitenings
from surrogate.set_networks import SetNetworks
from surrogate.settings import Range
from surrogate.solution import Arrays, Observed, Solution
from surrogate.solved_surrogate import SolvedSurrogate
from surrogate.trusted_members import reopened, trusted

_FOLDS = 4
_ROWS_FOR_NETWORKS = 2_000
_STEPS = 40
_NAMES = ("items", "own_items", "by_context")


class DeepKernel(SolvedSurrogate):
    """Neural-linear regression; see the module.

    A fit trains on at most 2,000 rows by `steps` full steps, O(n k H) each for H = `width`, on the
    CPU, anew every time; the last layers learn from all rows in O(n H^2 + H^3). Prediction costs
    O(k H + H S) a perturbation. On real screens it found less than `gaussian-process` and `linear`
    (evidence A1: 137 hits against 230), and prior evidence does not enter it.
    """

    name = "deep-kernel"
    family = "gaussian-process"
    known_settings: ClassVar[Mapping[str, Range]] = {
        "components": Range(64, 1, 4096, whole=True),
        "width": Range(24, 1, 512, whole=True),
        "draws": Range(64, 8, 4096, whole=True),
        "steps": Range(150, 1, 1e5, whole=True),
    }

    def _learned(self, observed: Observed, before: Solution | None, progress: Progress) -> Solution:
        encoder, contexts = self._inputs(observed.whitenings)
        seen = _seen(observed)
        generator = torch.Generator().manual_seed(observed.seed)
        here = self._problem.representations
        width = int(self._settings["width"])
        sizes = (_FOLDS, encoder.rank, len(here.perturbagens), contexts.shape[1], width)
        rng = np.random.default_rng(observed.seed)
        rows = np.sort(rng.permutation(len(observed.standard))[:_ROWS_FOR_NETWORKS])
        there = np.isfinite(observed.standard[rows])
        weights = seen[:, rows, None] * (there * observed.wells[rows])[None]
        networks = SetNetworks.begun(sizes, generator).trained(
            (*encoder(observed.combinations[rows]), contexts),
            torch.tensor(np.where(there, observed.standard[rows], 0.0), dtype=torch.float32),
            torch.tensor(weights, dtype=torch.float32),
            int(self._settings["steps"]),
        )
        progress(0.6, "training the deep kernel")
        heads = self._heads(networks, observed, seen, generator)
        told = np.repeat(seen, heads.shape[3], axis=0)
        kept = _arrays(networks, heads)
        speak = partial(_spoken, encoder, contexts, networks, heads)
        return trusted(speak, kept, observed, np.stack([told] * heads.shape[1]), here)

    def _heads(
        self,
        networks: SetNetworks,
        observed: Observed,
        seen: BoolArray,
        generator: torch.Generator,
    ) -> FloatArray:
        """Draws of the last layers' weights, shape (F, m, D, S / F)."""
        encoder, contexts = self._inputs(observed.whitenings)
        features = _features(encoder, contexts, networks, observed.combinations)
        width = networks.items.shape[2]
        groups = np.repeat(
            ["sum", "pair", "by context", "context"], [width] * 3 + [features.shape[2] - 3 * width]
        )
        draws = 2 * max(int(self._settings["draws"]) // (2 * _FOLDS), 1)
        found = []
        for network, table in zip(seen, features, strict=True):
            for readout in range(observed.standard.shape[1]):
                rows = observed.measured(readout)
                rows = rows[network[rows]]
                values, wells = observed.standard[rows, readout], observed.wells[rows, readout]
                columns = Columns(sparse.csr_matrix((len(rows), 0)), table[rows])
                rng = np.random.default_rng(observed.seed)
                prior, noise = learned_group_variances(columns, groups, values, wells, rng, _STEPS)
                solved = Regression.solve(columns, values, wells, prior, noise)
                found.append(solved.draws(draws, generator))
        shape = len(features), observed.standard.shape[1], features.shape[2], draws
        return np.stack(found).reshape(shape)

    def _reopened(
        self,
        arrays: Arrays,
        whitenings: Whitenings,
        seed: int,
        fold: tuple[FloatArray, FloatArray],
    ) -> Solution:
        encoder, contexts = self._inputs(whitenings)
        held = (torch.tensor(floats(arrays[f"network.{each}"])).float() for each in _NAMES)
        networks, heads = SetNetworks(*held), floats(arrays["heads"])
        speak = partial(_spoken, encoder, contexts, networks, heads)
        return reopened(speak, _arrays(networks, heads), arrays, fold)

    def _inputs(self, whitenings: Whitenings) -> tuple[Encoder, Tensor]:
        """The encoder, and the columns of contexts; none where there is one context."""
        here = self._problem.representations
        encoder = Encoder(
            here, whitenings.perturbagens, torch.device("cpu"), torch.float32, self._prior
        )
        columns = whitenings.context_columns(here)
        several = len(columns) > 1
        return encoder, torch.tensor(columns[:, : None if several else 0], dtype=torch.float32)


def _features(
    encoder: Encoder, contexts: Tensor, networks: SetNetworks, asked: Combinations
) -> FloatArray:
    """What the networks make of N perturbations, and their contexts, shape (F, N, D)."""
    items, rows = encoder(asked)
    with torch.no_grad():
        learned = networks(items, rows, contexts).double().numpy()
    here = contexts[rows.contexts].double().numpy()
    return np.concatenate([learned, np.broadcast_to(here, (len(learned), *here.shape))], axis=2)


def _spoken(
    encoder: Encoder,
    contexts: Tensor,
    networks: SetNetworks,
    heads: FloatArray,
    asked: Combinations,
) -> FloatArray:
    """What each draw says of N perturbations, shape (S, N, m)."""
    features = _features(encoder, contexts, networks, asked)
    said = np.einsum("fnd,fmds->fsnm", features, heads, optimize=True)
    return np.ascontiguousarray(said.reshape(-1, *said.shape[2:]))


def _arrays(networks: SetNetworks, heads: FloatArray) -> Arrays:
    parts = (networks.items, networks.own, networks.contexts)
    held = {f"network.{name}": each.numpy() for name, each in zip(_NAMES, parts, strict=True)}
    return {**held, "heads": heads}


def _seen(observed: Observed) -> BoolArray:
    """Which network sees which row, shape (F, n): all but its quarter, for life."""
    lots = mixed(observed.identities ^ np.uint64(observed.seed)) % np.uint64(_FOLDS)
    seen: BoolArray = np.arange(_FOLDS, dtype=np.uint64)[:, None] != lots[None, :]
    return seen
