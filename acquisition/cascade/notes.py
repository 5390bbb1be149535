"""What a cascade says of itself."""

from collections.abc import Mapping

from acquisition.cascade.audit import Recall
from acquisition.cascade.dense_rows import DenseRows
from acquisition.cascade.student import Student
from acquisition.cascade.teaching import Key
from loop.ports.engine import Section


def said(
    students: Mapping[Key, Student], scanned: int, rated: int, recall: Recall, asked: float
) -> str:
    """What a cascade did, in a sentence or two."""
    ranks = [each.rank for each in students.values()]
    fits = sorted(each.r2 for each in students.values())
    who = f"a student of rank {ranks[0]} (R2 {fits[0]:.2f})"
    if len(fits) > 1:
        who = f"{len(fits)} students of rank {max(ranks)} (R2 {fits[0]:.2f} to {fits[-1]:.2f})"
    sentence = (
        f"{scanned:,} candidates: {who} let {rated:,} through, of which the best were kept; "
        f"audited {recall}."
    )
    if recall.share < asked:
        sentence += f" The recall asked for, {asked:g}, was not reached."
    return sentence


def said_of_beam(section: Section, beam: DenseRows) -> str:
    """What was left out of the look at a section."""
    return (
        f"Of the sets of {section.order} in context {section.context} only those that continue "
        f"the best {len(beam):,} sets of {section.order - 1} were looked at; the audit covers all."
    )
