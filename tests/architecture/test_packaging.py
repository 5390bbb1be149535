"""What is built is what users get."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("group", sorted(PROJECT["entry-points"]))
def test_installed_entry_points_are_those_of_pyproject(group):
    installed = {point.name: point.value for point in entry_points(group=group)}

    assert installed == PROJECT["entry-points"][group], "run make install"


@pytest.mark.parametrize("group", sorted(PROJECT["entry-points"]))
def test_every_entry_point_loads(group):
    for point in entry_points(group=group):
        assert callable(point.load())


@pytest.mark.slow
def test_the_wheel_holds_the_five_packages_with_everything_they_need(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"loop", "surrogate", "acquisition", "lab_adapters", "flows"}
    assert "loop/report/page.html.j2" in names
    assert "loop/py.typed" in names
    assert any(name.startswith("loop/store/migrations/versions/0001") for name in names)
