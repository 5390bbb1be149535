"""Virtual instruments: new decoders on the manipulators of an ensemble that stays as it is.

An instrument reads something else off altered states: one number, or a vector such as a
Perturb-seq pseudobulk. It is a file (safetensors) with a card that says what goes in, what comes
out and in which units, from which data, and under which licence.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from loop.domain.errors import (
    IncompatibleError,
    InvalidError,
    NothingMeasuredError,
    UnreadableFileError,
)
from loop.ports.arrays import Belief, BoolArray, Combinations, FloatArray
from surrogate.checkpoint import fingerprint
from surrogate.ensemble import Ensemble
from surrogate.ridge import fit_ridge

FORMAT = 1
_LEAST_ROWS = 3
_CARD = "pertloop_virtual_instrument"


@dataclass(frozen=True, slots=True)
class Output:
    """One number that an instrument reads: its name and its unit."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Card:
    """What a reader has to know of an instrument.

    Attributes:
        name: What to call it.
        outputs: What it reads, in order.
        data: What it was trained on, in words.
        licence: Under which the instrument may be used, such as `CC-BY-4.0`.
        created_at: When it was trained.
        snapshot: The id of the snapshot whose manipulators it reads, where that was stored.
    """

    name: str
    outputs: tuple[Output, ...]
    data: str
    licence: str
    created_at: datetime
    snapshot: str = ""

    def __post_init__(self) -> None:
        """Refuse a card that leaves out what a reader needs.

        Raises:
            InvalidError: If something is blank, or two outputs have one name.
        """
        for noun in ("name", "data", "licence"):
            if not getattr(self, noun).strip():
                msg = f"The card of a virtual instrument says no {noun}; give one in words."
                raise InvalidError(msg)
        names = [each.name for each in self.outputs]
        if not names or len(set(names)) < len(names):
            msg = f"A virtual instrument has outputs with names of their own, not {names}."
            raise InvalidError(msg)


class VirtualInstrument:
    """A decoder of one's own on the manipulators of an ensemble; made by `fit` or `load`."""

    def __init__(
        self,
        ensemble: Ensemble,
        card: Card,
        facts: Mapping[str, object],
        parts: Mapping[str, Tensor],
    ) -> None:
        """Put one together; `facts` are what the card says beyond the `Card`."""
        self._ensemble = ensemble
        self._parts = dict(parts)
        self.card = card
        self.facts = dict(facts)

    @classmethod
    def fit(
        cls, ensemble: Ensemble, combinations: Combinations, values: FloatArray, card: Card
    ) -> "VirtualInstrument":
        """Train on n perturbations with values of shape (n, m), NaN where missing.

        Each member's states, and the hidden layer of its decoder, are the features of a ridge
        regression whose penalty predicts left-out rows best. The ensemble is not changed.

        Raises:
            InvalidError: If `values` do not have a row a perturbation and a column an output.
            NothingMeasuredError: If an output has fewer than three finite values.
        """
        if values.shape != (len(combinations), len(card.outputs)):
            msg = (
                f"The values have the shape {values.shape}; expected a row for each of "
                f"{len(combinations)} perturbations and a column for each of "
                f"{len(card.outputs)} outputs."
            )
            raise InvalidError(msg)
        there = np.isfinite(values)
        for output, count in zip(card.outputs, there.sum(axis=0), strict=True):
            if count < _LEAST_ROWS:
                msg = (
                    f"Output {output.name!r} has {count} finite values; a virtual instrument "
                    f"needs at least {_LEAST_ROWS}."
                )
                raise NothingMeasuredError(msg)
        features = _features(ensemble, combinations)
        facts = {
            "format": FORMAT,
            "manipulators": ensemble.manipulators(),
            "members": features.shape[0],
            "features": features.shape[2],
            "observations": len(combinations),
            "data_hash": fingerprint(combinations, values),
            "code_version": version("pertloop"),
        }
        return cls(ensemble, card, facts, _fitted(features, values, there))

    def predict(self, combinations: Combinations) -> Belief:
        """Read N perturbations, each array (N, m), in the outputs' units.

        The epistemic SD is that between members; the aleatoric SD is what leaving rows out has
        shown to be left over.
        """
        weight, offset = self._parts["weight"], self._parts["offset"]
        read = _features(self._ensemble, combinations) @ weight + offset
        noise = self._parts["noise"].expand(len(combinations), -1)
        parts = (read.mean(dim=0), read.std(dim=0), noise)
        return Belief(*(each.numpy().astype(np.float64) for each in parts))

    def save(self, path: Path) -> None:
        """Write the instrument to one file, whole or not at all."""
        outputs = [asdict(each) for each in self.card.outputs]
        told = {
            **asdict(self.card),
            "outputs": outputs,
            "created_at": self.card.created_at.isoformat(),
            "facts": self.facts,
        }
        part = path.with_name(path.name + ".part")
        save_file(
            {name: each.contiguous() for name, each in self._parts.items()},
            part,
            {_CARD: json.dumps(told, sort_keys=True)},
        )
        part.replace(path)

    @classmethod
    def load(cls, path: Path, ensemble: Ensemble) -> "VirtualInstrument":
        """Read a file that `save` wrote, for the ensemble that it was trained on.

        Raises:
            UnreadableFileError: If the file is missing, damaged, or something else.
            InvalidError: If its card leaves out what a reader needs, such as the licence.
            IncompatibleError: If the ensemble's manipulators are not those it was trained on.
        """
        card, facts, parts = _read(path)
        if facts.get("manipulators") != ensemble.manipulators():
            of = f"snapshot {card.snapshot[:12]}" if card.snapshot else "another ensemble"
            msg = (
                f"The virtual instrument {card.name!r} reads the manipulators of {of}, and these "
                "are others; restore that snapshot, or train the instrument again."
            )
            raise IncompatibleError(msg)
        return cls(ensemble, card, facts, parts)


def read_card(path: Path) -> tuple[Card, dict[str, object]]:
    """The card of an instrument's file, without an ensemble; raises what `load` raises."""
    card, facts, _ = _read(path)
    return card, facts


def _read(path: Path) -> tuple[Card, dict[str, object], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_CARD)
            parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        msg = f"{str(path)!r} is no virtual instrument that can be read ({error})."
        raise UnreadableFileError(msg) from error
    if text is None:
        msg = f"{str(path)!r} is no virtual instrument: it has no card."
        raise UnreadableFileError(msg)
    told = json.loads(text)
    facts = told.pop("facts", {})
    if facts.get("format") != FORMAT:
        msg = (
            f"{str(path)!r} has the format {facts.get('format')!r}, this version reads {FORMAT}; "
            "use the version of Pertloop that wrote it."
        )
        raise IncompatibleError(msg)
    for noun in ("name", "data", "licence", "created_at"):
        if not told.get(noun):
            msg = f"The card of {str(path)!r} says no {noun}; ask whoever made the file."
            raise InvalidError(msg)
    outputs = tuple(Output(**each) for each in told.pop("outputs", ()))
    created_at = datetime.fromisoformat(told.pop("created_at"))
    return Card(**told, outputs=outputs, created_at=created_at), facts, parts


def _features(ensemble: Ensemble, combinations: Combinations) -> Tensor:
    """States and hidden layers side by side, shape (M, N, s + w), float64, on the CPU."""
    return torch.cat(ensemble.altered_states(combinations), dim=2).cpu().double()


def _fitted(features: Tensor, values: FloatArray, there: BoolArray) -> dict[str, Tensor]:
    """Weights, offsets and noise; outputs that miss the same rows are fitted together."""
    members, _, width = features.shape
    outputs = values.shape[1]
    weight = torch.zeros(members, width, outputs, dtype=torch.float64)
    offset = torch.zeros(members, 1, outputs, dtype=torch.float64)
    noise = torch.zeros(outputs, dtype=torch.float64)
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for number, rows in enumerate(patterns.T):
        columns = np.flatnonzero(np.ravel(which) == number)
        known = torch.as_tensor(values[rows][:, columns], dtype=torch.float64)
        ridge = fit_ridge(features[:, torch.as_tensor(rows)], known)
        weight[:, :, columns] = ridge.weight
        offset[:, :, columns] = ridge.offset
        noise[columns] = (ridge.left_out.mean(dim=0) - known).square().mean(dim=0).sqrt()
    return {"weight": weight, "offset": offset, "noise": noise}
