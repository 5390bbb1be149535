"""The command line: one command a use case, and nothing heavy imported until it is needed."""


def main() -> None:
    """Run `pertloop`."""
    from loop.cli.app import app

    app()
