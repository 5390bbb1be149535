"""Small campaigns as a person would write them, and the results that a lab would bring."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

GENES = tuple(f"G{number:02d}" for number in range(1, 13))


@dataclass(frozen=True)
class CampaignFolder:
    """A campaign file and its tables. `sections` are merged over `DEFAULTS` by section and key."""

    name: str = "tiny"
    sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    top: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, str | bytes] = field(default_factory=dict)

    def with_(self, section: str, **keys: object) -> "CampaignFolder":
        """The same with further keys in one section; None takes a key away."""
        sections = {**self.sections, section: {**self.sections.get(section, {}), **keys}}
        return replace(self, sections=sections)

    def with_table(self, name: str, content: str | bytes) -> "CampaignFolder":
        """The same with another file beside the campaign file."""
        return replace(self, tables={**self.tables, name: content})

    def write(self, folder: Path) -> Path:
        """Write everything and return the path of the campaign file."""
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"genes.csv": "id,kind\n" + "".join(f"{gene},gene\n" for gene in GENES)}
        for name, content in {**tables, **self.tables}.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        path = folder / "campaign.toml"
        path.write_text(self._text(), encoding="utf-8")
        return path

    def _text(self) -> str:
        top = {"name": self.name, "goal": "find-hits", "seed": 7, **self.top}
        lines = [f"{key} = {_toml(value)}" for key, value in top.items()]
        for section in {**DEFAULTS, **self.sections}:
            keys = {**DEFAULTS.get(section, {}), **self.sections.get(section, {})}
            lines += [f"[{section}]"]
            lines += [f"{key} = {_toml(value)}" for key, value in keys.items() if value is not None]
        return "\n".join(lines) + "\n"


DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "library": {"perturbagens": "genes.csv", "contexts": ["K562"], "order": 2},
    "readout": {"name": "gi", "unit": "sd", "direction": "both", "threshold": [-1.0, 1.0]},
    "batch": {"size": 6, "audit": 0.2},
    "surrogate": {"name": "random"},
    "acquisition": {"name": "random"},
    "lab": {"adapter": "csv", "plate": 96, "negative": 3},
}


def _toml(value: object) -> str:
    return json.dumps(value)


def filled_template(job: Path, results: Path, values: Mapping[str, str] | None = None) -> Path:
    """The results template of a job with a value in every well, or those given by well."""
    with (job / "results_template.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    for number, row in enumerate(table):
        row["value"] = (values or {}).get(row["well"], f"{(number * 37 % 50) / 10 - 2.5:.2f}")
    return write_table(results, table)


def write_table(path: Path, table: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as CSV under the names of the first one's keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def job_folder(home: Path, adapter: str, campaign: str, batch: str) -> Path:
    """Where a lab adapter leaves the files of a batch."""
    return next(home.glob(f"*/{adapter}/{campaign}/{batch}"))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV."""
    return "".join(",".join(str(cell) for cell in row) + "\n" for row in rows)
