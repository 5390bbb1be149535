"""Who did what, when, and from where: the append-only log."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that was done. `verb` is one of the product's verbs."""

    at: datetime
    who: str
    verb: str
    what: str
    origin: str
    detail: str = ""
