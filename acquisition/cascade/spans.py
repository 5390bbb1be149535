"""The addresses of sections, and those between them."""

from collections.abc import Sequence

from loop.ports.engine import Section, TiledSpace


def section_span(space: TiledSpace, section: Section) -> range:
    """The addresses of a section."""
    begin = space.stripe(section, 0, 1)
    end = space.stripe(section, section.prefixes - 1, section.prefixes)
    stop = int(end.addresses[0]) + len(space.items) - int(end.starts[0])
    return range(int(begin.addresses[0]), stop)


def gaps(spans: Sequence[range], total: int) -> list[range]:
    """The addresses below `total` that stand in none of some ascending spans, as ranges."""
    ends = [0, *(span.stop for span in spans)]
    begins = [*(span.start for span in spans), total]
    return [range(*pair) for pair in zip(ends, begins, strict=True) if pair[0] < pair[1]]
