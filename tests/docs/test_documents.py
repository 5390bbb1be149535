"""What we print must run."""

import re
import runpy
from pathlib import Path

import pytest
from typer.main import get_command

from loop.campaign_file import parse_campaign
from loop.cli.app import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.S | re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_exists(path):
    known = get_command(app)
    named = re.findall(r"pertloop ([a-z]+)(?: ([a-z]+))?", path.read_text())

    for command, sub in named:
        found = known.commands.get(command)
        assert found is not None, f"pertloop {command}"
        if hasattr(found, "commands") and sub:
            assert sub in found.commands


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text())

    lost = [each for each in links if "://" not in each and not (path.parent / each).exists()]

    assert lost == []


def test_the_readme_s_campaign_file_is_one():
    (text,) = blocks("toml", (ROOT / "README.md").read_text())

    assert parse_campaign(text, "README").batch.size == 128


def test_every_make_target_of_the_documents_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"(?:^|`|\n)make ([a-z-]+)", path.read_text())
    }

    assert named
    assert named <= targets


@pytest.mark.slow
def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PERTLOOP_HOME", str(tmp_path))

    runpy.run_path(str(ROOT / "examples" / "first_campaign.py"), run_name="__main__")

    assert "hits" in capsys.readouterr().out
