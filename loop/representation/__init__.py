"""Universal representations from files and structures: read, joined as views, reported on.

One `RepresentationSource` answers for any ids in the same columns. A view does not know an id that
it lacks, or whose row is all zeros or all blank (NaN); single blanks in a known row are given the
column's mean over the known rows, and counted.
"""

from loop.representation.compounds import MORGAN
from loop.representation.contexts import context_rows, context_table
from loop.representation.coverage import Coverage, coverage
from loop.representation.doses import log_doses
from loop.representation.reading import read_views
from loop.representation.source import RepresentationSource, open_source, represent
from loop.representation.view import TableView

__all__ = [
    "MORGAN",
    "Coverage",
    "RepresentationSource",
    "TableView",
    "context_rows",
    "context_table",
    "coverage",
    "log_doses",
    "open_source",
    "read_views",
    "represent",
]
