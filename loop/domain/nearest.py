"""What a person probably meant: the nearest right word."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that begins with a blank, or nothing where no known word is near.

    >>> did_you_mean("treshold", ["threshold", "unit"])
    " Did you mean 'threshold'?"
    """
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
