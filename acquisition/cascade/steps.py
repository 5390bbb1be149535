"""Progress through several steps."""

from loop.ports.engine import Progress


class Steps:
    """Progress through steps of given shares that never goes back."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._begun = self._end = self._said = 0.0
        self._doing = ""
        self._rated = self._expected = 0

    def step(self, end: float, doing: str, expected: int) -> None:
        """Begin a step that ends at a share of the whole and takes so many ratings."""
        self._begun, self._end = self._said, max(end, self._said)
        self._doing, self._rated, self._expected = doing, 0, max(expected, 1)
        self.count(0)

    def count(self, rated: int) -> None:
        """So many candidates more were rated."""
        self._rated += rated
        self.part(self._rated / self._expected, "")

    def part(self, share: float, doing: str) -> None:
        """A `Progress` for the step."""
        now = self._begun + (self._end - self._begun) * min(share, 1.0)
        self._said = max(self._said, now)
        self._progress(self._said, self._doing)
