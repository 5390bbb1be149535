"""Libraries that only some installations have."""

from importlib import import_module
from types import ModuleType

from loop.domain.errors import UnavailableError


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a library that one of our extras brings.

    Raises:
        UnavailableError: If it is not installed; the sentence says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        msg = f"{purpose} needs {library}, which is missing: pip install 'pertloop[{extra}]'."
        raise UnavailableError(msg) from error
