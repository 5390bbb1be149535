"""The command line: one command a use case, and nothing heavy imported until it is needed."""

import os


def main() -> None:
    """Run `pertloop`.

    The engine's threads wait asleep, unless the environment says otherwise: on a busy machine
    OpenMP's spinning waits made training several times slower (docs/benchmarks.md).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from loop.cli.app import app

    app()
