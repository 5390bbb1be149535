"""The example of a virtual instrument runs, and reads what it promises."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(120)
def test_the_virtual_instrument_of_the_example_reads_pairs_nobody_sequenced(tmp_path: Path) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "virtual_instrument.py"))

    assert example["main"](tmp_path) > 0.7
    assert (tmp_path / "pseudobulk.safetensors").exists()
