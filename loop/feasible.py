"""Whether the constraints of a campaign could be kept at all, asked before it is created."""

import numpy as np

from loop.asking import asked_of
from loop.choose import audit_wells
from loop.conflicts import refuse_conflicts
from loop.constraints import limits_of
from loop.domain.campaign import Campaign
from loop.domain.errors import CampaignFileError
from loop.domain.perturbation import Perturbation
from loop.encoding import LibraryIndex
from loop.ports.engine import CandidateSpace
from loop.supply import supply_of


def check_keys(campaign: Campaign, index: LibraryIndex, space: CandidateSpace) -> None:
    """Refuse must-haves that are no candidates, and reference designs above a dose ceiling.

    Raises:
        InvalidError: If the library does not hold one.
        CampaignFileError: If it may not be chosen.
    """
    library = index.library
    for key in campaign.batch.reference:
        if not library.is_below_ceilings(Perturbation.parse(key)):
            msg = (
                f"batch.reference names {key!r}, which is above constraints.max_dose; name it at "
                "a lower dose, or raise the ceiling."
            )
            raise CampaignFileError(msg)
    for key in campaign.batch.constraints.must_include:
        perturbation = index.encode([Perturbation.parse(key)])
        if space.rank(perturbation)[0] < 0 or not space.permitted(perturbation)[0]:
            msg = (
                f"constraints.must_include names {key!r}, which is no candidate: {_why(index, key)}"
                "; mend the key, or allow it."
            )
            raise CampaignFileError(msg)


def _why(index: LibraryIndex, key: str) -> str:
    library, perturbation = index.library, Perturbation.parse(key)
    if not library.is_below_ceilings(perturbation):
        return "a dose of it is above constraints.max_dose"
    if library.allowed is not None and perturbation not in library.allowed:
        return "library.allowed does not list it"
    if perturbation.order not in library.orders:
        orders = ", ".join(str(order) for order in library.orders)
        return f"it holds {perturbation.order} perturbagens and library.order is {orders}"
    return "library.forbidden or constraints.exclusive rules it out"


def check_first_batch(campaign: Campaign, index: LibraryIndex, space: CandidateSpace) -> None:
    """Refuse constraints that not even the first batch, of the size in the file, could keep.

    A library smaller than a batch is no conflict: it is asked about as far as it goes.

    Raises:
        CampaignFileError: If a group names a column or value that the library lacks.
        ConflictingConstraintsError: The sentence names the smallest part that cannot hold.
        LayoutError: If controls leave no room on a plate.
    """
    rules, library = campaign.batch, index.library
    limits = limits_of(rules, library.perturbagens)
    references = index.encode([Perturbation.parse(key) for key in rules.reference])
    also = [key for key in rules.constraints.must_include if key not in rules.reference]
    taken = space.rank(references)
    taken = np.unique(taken[(taken >= 0) & space.permitted(references)])
    size = min(rules.size, space.on_offer() - len(taken) + len(references))
    asked = asked_of(
        campaign,
        len(library.contexts),
        limits,
        (references, index.encode([Perturbation.parse(key) for key in also])),
        (size, audit_wells(size, rules.audit)),
        ("batch.size", "set batch.size to"),
        rules.audit,
    )
    if asked.binds:
        supply = supply_of(space, library.orders, taken, limits)
        refuse_conflicts(asked, supply)
