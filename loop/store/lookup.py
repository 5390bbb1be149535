"""What every storage answers alike where something is missing or taken: the sentences."""

from collections.abc import Iterable, Sequence

from loop.domain.errors import (
    AlreadyExistsError,
    BatchNotFoundError,
    CampaignNotFoundError,
    SnapshotNotFoundError,
    StaleCampaignError,
    WrongStateError,
)
from loop.domain.nearest import did_you_mean
from loop.domain.snapshot import Snapshot

SHORTEST_PREFIX = 4
"""How many characters of a snapshot's id must be given."""


def no_campaign(name: str, known: Iterable[str]) -> CampaignNotFoundError:
    """There is no campaign of this name."""
    hint = did_you_mean(name, known) or " `pertloop campaigns` lists what there is."
    return CampaignNotFoundError(f"There is no campaign {name!r}.{hint}")


def campaign_exists(name: str) -> AlreadyExistsError:
    """The name is taken."""
    return AlreadyExistsError(f"There is a campaign {name!r} already; choose another name.")


def stale(campaign: str, what: str) -> StaleCampaignError:
    """Somebody was faster."""
    msg = (
        f"Campaign {campaign!r} was changed by somebody else in between ({what}); "
        "nothing was written: look again and repeat."
    )
    return StaleCampaignError(msg)


def no_batch(batch_id: str, known: Iterable[str]) -> BatchNotFoundError:
    """There is no batch of this id."""
    hint = did_you_mean(batch_id, known) or " `pertloop batches` lists what there is."
    return BatchNotFoundError(f"There is no batch {batch_id!r}.{hint}")


def dispatched_already(batch_id: str) -> WrongStateError:
    """A batch goes to a lab once."""
    return WrongStateError(
        f"Batch {batch_id!r} has been dispatched already, or its key has; it is not sent twice."
    )


def snapshot_beginning(snapshots: Sequence[Snapshot], campaign: str, snapshot_id: str) -> Snapshot:
    """The one snapshot whose id is, or begins with, `snapshot_id`.

    Raises:
        SnapshotNotFoundError: If there is none, more than one, or too little was given.
    """
    exact = [each for each in snapshots if each.id == snapshot_id]
    if exact:
        return exact[0]
    if len(snapshot_id) < SHORTEST_PREFIX:
        msg = f"{snapshot_id!r} is too short; give at least {SHORTEST_PREFIX} characters of the id."
        raise SnapshotNotFoundError(msg)
    found = [each for each in snapshots if each.id.startswith(snapshot_id)]
    if len(found) == 1:
        return found[0]
    if found:
        msg = (
            f"{len(found)} snapshots of campaign {campaign!r} begin with {snapshot_id!r}; "
            "give more of the id."
        )
        raise SnapshotNotFoundError(msg)
    hint = did_you_mean(snapshot_id, [each.id[: len(snapshot_id)] for each in snapshots])
    msg = f"Campaign {campaign!r} has no snapshot {snapshot_id!r}." + (
        hint or f" `pertloop snapshots {campaign}` lists what there is."
    )
    raise SnapshotNotFoundError(msg)
