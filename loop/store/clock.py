"""The time of this machine."""

from datetime import UTC, datetime


class SystemClock:
    """A `Clock` that reads the machine's."""

    def now(self) -> datetime:
        """Now, in UTC, with its zone."""
        return datetime.now(UTC)
