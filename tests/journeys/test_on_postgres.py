"""The same commands on PostgreSQL, by URL alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab_adapters.simulated import SimulatedLab
from loop.cli.app import app
from loop.ports.lab import LabSetup
from tests.postgres_server import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


def run(*words: str) -> object:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_round_runs_on_postgresql_and_moves_to_sqlite(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("PERTLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PERTLOOP_DATABASE_URL", postgres_url)
    lab = SimulatedLab(LabSetup(tmp_path, {}, 3))
    file = lab.write_example(tmp_path / "example", 30, 2, ("K562",), 24, 0.09, "onpg")
    text = file.read_text().replace('"ensemble"', '"random"').replace('"auto"', '"random"')
    file.write_text(text)

    run("init", str(file))
    batch = run("propose", "onpg")
    run("approve", batch["id"])
    run("dispatch", batch["id"])
    run("ingest", "onpg")
    run("retrain", "onpg")
    status = run("status", "onpg")
    run("db", "backup", str(tmp_path / "backup.tar.gz"))
    monkeypatch.setenv("PERTLOOP_HOME", str(tmp_path / "moved"))
    monkeypatch.delenv("PERTLOOP_DATABASE_URL")
    run("db", "restore", str(tmp_path / "backup.tar.gz"))

    assert status["tested"] >= 20
    assert run("status", "onpg") == status
    assert not Path(tmp_path / "home" / "pertloop.db").exists()
