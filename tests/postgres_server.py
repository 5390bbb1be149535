"""A real PostgreSQL for the length of a test session.

The binaries of the machine are used; where there are none and we may, Debian's are installed.
`python -m tests.postgres_server` does only that. The server runs in a temporary folder, listens
on a Unix socket there and nowhere else, and ends with the session. Where none can be had the
tests are skipped with a sentence; with CI=true they fail instead.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

OWNER = "pertloop"
"""The database's superuser; not a user of the machine."""

PATIENCE_S = 60.0

_ENOUGH = (
    "install PostgreSQL (Debian: apt-get install postgresql) so that initdb and postgres are "
    "on the PATH or below /usr/lib/postgresql, or run the tests as root"
)


class NoPostgresError(Exception):
    """There is no PostgreSQL here, and none could be made."""


def binaries() -> Path | None:
    """The folder that holds both `initdb` and `postgres`, the newest version's first."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    config = shutil.which("pg_config")
    if config:
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(asked.stdout.strip()))
    whole = (folder for folder in folders if all(map(_runs(folder), ("initdb", "postgres"))))
    return next(whole, None)


def _runs(folder: Path):
    return lambda name: os.access(folder / name, os.X_OK)


def install() -> Path:
    """Find PostgreSQL's binaries, installing Debian's if there are none and we are root."""
    found = binaries()
    if found:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoPostgresError(_ENOUGH)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in ("update", "install -y --no-install-recommends postgresql"):
        done = subprocess.run(
            ["apt-get", *words.split()],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"{_ENOUGH}; `apt-get {words}` said: {done.stderr.strip()[-500:]}"
            raise NoPostgresError(msg)
    found = binaries()
    if not found:
        msg = f"{_ENOUGH}; Debian's package installed no server"
        raise NoPostgresError(msg)
    return found


class PostgresServer:
    """A server of our own; one database for each test that asks."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._process = process
        self._numbers = count(1)

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://{OWNER}@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"test_{next(self._numbers)}"
        self._tell(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Forget a database, whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        self._tell(f"DROP DATABASE {name} WITH (FORCE)")

    def wait_until_ready(self) -> None:
        """Return when the server answers."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._tell("SELECT 1")
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    log = (self._folder / "log").read_text(errors="replace")[-1000:]
                    msg = f"PostgreSQL did not start: {error}; its log ends: {log}"
                    raise NoPostgresError(msg) from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End the server at once; its data are thrown away."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, sentence: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sentence)


def start(folder: Path) -> PostgresServer:
    """Start a server whose data lie in an empty folder."""
    programs = install()
    user = _unprivileged(folder)
    data = folder / "data"
    made = subprocess.run(
        [
            programs / "initdb",
            *("--pgdata", data, "--username", OWNER, "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **user,
    )
    if made.returncode:
        msg = f"initdb failed: {made.stderr.strip()[-1000:]}"
        raise NoPostgresError(msg)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                programs / "postgres",
                *("-D", data, "-k", folder, "-h", ""),
                # Nothing here outlives the session.
                *("-c", "fsync=off"),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **user,
        )
    server = PostgresServer(folder, process)
    try:
        server.wait_until_ready()
    except BaseException:
        server.stop()
        raise
    return server


def _unprivileged(folder: Path) -> dict[str, object]:
    """How to run as somebody else where we are root, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return {}
    user = "postgres" if _is_user("postgres") else "nobody"
    shutil.chown(folder, user)
    return {"user": user, "extra_groups": []}


def _is_user(name: str) -> bool:
    return subprocess.run(["id", name], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole session."""
    # Not pytest's own temporary folder: the server's user may not look inside that.
    folder = Path(tempfile.mkdtemp(prefix="pertloop-pg-", dir="/tmp"))
    try:
        server = start(folder)
    except NoPostgresError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if os.environ.get("CI") == "true":
            pytest.fail(f"No PostgreSQL: {error}.")
        pytest.skip(f"No PostgreSQL: {error}.")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop(url)


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
