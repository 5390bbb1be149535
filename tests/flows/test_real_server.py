"""The pins are proved by starting the real thing: `pip check` would pass without.

Prefect 3.8.8 starts under FastAPI 0.155 no more, and under SQLAlchemy 2.1 its scheduler is silent
(evidence B1). Both show here.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PATIENCE_S = 180


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition, what: str):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (found := condition()) is not None:
            return found
        time.sleep(0.5)
    pytest.fail(f"{what} did not come within {PATIENCE_S} s")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("prefect")
    port = free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [str(Path(sys.executable).parent / "prefect"), "server", "start"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        api = f"http://127.0.0.1:{port}/api"
        try:
            until(lambda: healthy(api, process), "the Prefect server")
            yield api
        finally:
            process.terminate()
            process.wait(30)


def healthy(api: str, process: "subprocess.Popen[bytes]") -> bool | None:
    assert process.poll() is None, "the Prefect server ended"
    try:
        return True if httpx.get(f"{api}/health").status_code == 200 else None
    except httpx.TransportError:
        return None


def answered(client: httpx.Client, path: str, body: dict[str, object]):
    """What the server says once it is not too busy: a fresh SQLite file answers 503 at times."""

    def ask():
        answer = client.post(path, json=body)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        return (answer.raise_for_status().json(),)

    return until(ask, path)[0]


@pytest.mark.slow
def test_a_cron_schedule_makes_runs_on_a_real_prefect_server(server):
    with httpx.Client(base_url=server) as client:
        flow = answered(client, "/flows/", {"name": "nightly"})
        schedule = {"active": True, "schedule": {"cron": "0 2 * * *"}}
        deployment = answered(
            client,
            "/deployments/",
            {"name": "nightly", "flow_id": flow["id"], "schedules": [schedule]},
        )
        wanted = {"deployments": {"id": {"any_": [deployment["id"]]}}}

        runs = until(
            lambda: answered(client, "/flow_runs/filter", wanted) or None, "a scheduled run"
        )

    assert {run["state"]["type"] for run in runs} == {"SCHEDULED"}
    assert runs[0]["auto_scheduled"]
