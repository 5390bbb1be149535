"""URs of compounds from their structures: Morgan fingerprints, and a few descriptors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import BoolArray, FloatArray
from loop.representation.optional import optional
from loop.representation.view import TableView

MORGAN = "morgan"
RADIUS, BITS = 2, 2048
_SCALES = {
    "MolWt": (350.0, 120.0),
    "MolLogP": (2.5, 2.0),
    "TPSA": (80.0, 40.0),
    "NumHDonors": (1.7, 1.5),
    "NumHAcceptors": (5.0, 2.5),
    "NumRotatableBonds": (5.0, 3.0),
    "RingCount": (3.0, 1.3),
    "NumAromaticRings": (2.0, 1.2),
    "FractionCSP3": (0.4, 0.25),
}
"""RDKit's descriptors with about the mean and SD that they have among drugs.

They are fixed, so that one compound has the same numbers in every library.
"""


@dataclass(frozen=True, slots=True)
class Compounds:
    """Views made from structures, and what could not be read, in sentences."""

    views: tuple[TableView, ...]
    notes: tuple[str, ...]


def read_compounds(smiles: Mapping[str, str]) -> Compounds:
    """Fingerprints (2,048 bits, radius 2) and nine descriptors from SMILES by id.

    A blank or unreadable SMILES leaves its row unknown. The cost is about 1 ms a compound.

    Raises:
        UnreadableFileError: If none can be read.
        UnavailableError: If RDKit is not installed.
    """
    chemistry = optional("rdkit.Chem", "compounds", "A fingerprint")
    base = optional("rdkit.rdBase", "compounds", "A fingerprint")
    fingerprint, described = _fingerprint(), _descriptors()
    bits = np.zeros((len(smiles), BITS))
    descriptors = np.zeros((len(smiles), len(_SCALES)))
    known = np.zeros(len(smiles), dtype=np.bool_)
    notes = []
    with base.BlockLogs():
        for row, (name, written) in enumerate(smiles.items()):
            molecule = chemistry.MolFromSmiles(written) if written else None
            if molecule is not None and molecule.GetNumAtoms():
                bits[row], descriptors[row] = fingerprint(molecule), described(molecule)
                known[row] = True
            elif written:
                notes.append(f"The SMILES of {name!r} cannot be read, so it is unknown: {written}")
    if not known.any():
        msg = f"None of {len(smiles)} SMILES can be read; check the column 'smiles'."
        raise UnreadableFileError(msg)
    row_of = {name: row for row, name in enumerate(smiles)}
    return Compounds(
        (
            _view(MORGAN, row_of, bits, known),
            _view("descriptors", row_of, np.nan_to_num(descriptors), known),
        ),
        tuple(notes),
    )


def _view(name: str, row_of: Mapping[str, int], vectors: FloatArray, known: BoolArray) -> TableView:
    return TableView(name, row_of, vectors, known, 0, MORGAN)


def _fingerprint() -> Callable[[Any], FloatArray]:
    generators = optional("rdkit.Chem.rdFingerprintGenerator", "compounds", "A fingerprint")
    generator = generators.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    return lambda molecule: np.asarray(generator.GetFingerprintAsNumPy(molecule), dtype=np.float64)


def _descriptors() -> Callable[[Any], FloatArray]:
    available = optional("rdkit.Chem.Descriptors", "compounds", "A descriptor")
    functions = [getattr(available, name) for name in _SCALES]
    middle, spread = np.array(list(_SCALES.values())).T
    return lambda molecule: (np.array([each(molecule) for each in functions]) - middle) / spread
