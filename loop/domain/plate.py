"""Labware: plate formats, well names, and what each well is for."""

import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from loop.domain.errors import LayoutError
from loop.domain.perturbation import Perturbation

_WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9][0-9]?)")


class PlateFormat(IntEnum):
    """Wells on a plate; rows : columns are always 2 : 3."""

    P96 = 96
    P384 = 384
    P1536 = 1536

    @property
    def rows(self) -> int:
        """Number of rows: 8, 16 or 32."""
        return {96: 8, 384: 16, 1536: 32}[self.value]

    @property
    def columns(self) -> int:
        """Number of columns: 12, 24 or 48."""
        return self.rows * 3 // 2

    def well(self, row: int, column: int) -> str:
        """The padded name of a well, `B07`, from zero-based row and column."""
        letters = chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)
        return f"{letters}{column + 1:02d}"

    def position(self, name: str) -> tuple[int, int]:
        """Zero-based row and column of a well; `B7` and `b07` are accepted.

        Raises:
            LayoutError: If the name is no well of this plate.
        """
        match = _WELL.fullmatch(name.strip())
        if match:
            letters, column = match[1].upper(), int(match[2]) - 1
            row = ord(letters[-1]) - 65 + (26 if len(letters) == 2 else 0)
            legal = len(letters) == 1 or letters[0] == "A"
            if legal and row < self.rows and column < self.columns:
                return row, column
        last = self.well(self.rows - 1, self.columns - 1)
        msg = f"Well {name!r} is not on a {self.value}-well plate (A01 to {last})."
        raise LayoutError(msg)


class Role(StrEnum):
    """What a well is for."""

    TREATMENT = "treatment"
    NEGATIVE = "negative"
    POSITIVE = "positive"
    REFERENCE = "reference"
    BLANK = "blank"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Well:
    """One well: its padded name, its role, what acts in it, and which replicate it is."""

    name: str
    role: Role
    perturbation: Perturbation | None
    replicate: int = 1


@dataclass(frozen=True, slots=True)
class Plate:
    """A filled plate. `barcode` is what the lab's label says."""

    id: str
    barcode: str
    format: PlateFormat
    wells: tuple[Well, ...]

    def __post_init__(self) -> None:
        """Refuse two uses of one well, and wells that the plate does not have."""
        names = [self.format.well(*self.format.position(well.name)) for well in self.wells]
        if len(set(names)) < len(names):
            msg = f"Plate {self.id!r} fills a well twice."
            raise LayoutError(msg)
