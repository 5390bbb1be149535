"""Use case: a person approves or rejects a batch."""

from loop.domain.batch import Batch, BatchState
from loop.domain.errors import InvalidError, WrongStateError
from loop.provided import Services


def approve(services: Services, batch_id: str) -> Batch:
    """Approve a proposed batch; approving it twice changes nothing.

    Raises:
        BatchNotFoundError: If there is no such batch.
        WrongStateError: If it can no longer be approved.
    """
    return _decide(services, batch_id, BatchState.APPROVED, "approve", "")


def reject(services: Services, batch_id: str, why: str) -> Batch:
    """Reject a batch that has not been dispatched; its perturbations are on offer again.

    Raises:
        InvalidError: If no reason is given.
        BatchNotFoundError: If there is no such batch.
        WrongStateError: If it has been dispatched, or its dispatch was begun.
    """
    if not why.strip():
        msg = "A rejection needs a reason; say why with --why '…'."
        raise InvalidError(msg)
    return _decide(services, batch_id, BatchState.REJECTED, "reject", why)


def _decide(services: Services, batch_id: str, state: BatchState, verb: str, why: str) -> Batch:
    with services.storage.writing() as work:
        batch = work.batches.get(batch_id)
        if batch.state is state:
            return batch
        moved = batch.moved_to(state, services.who, why or None)
        if state is BatchState.REJECTED and work.dispatches.get(batch_id) is not None:
            msg = (
                f"Batch {batch_id!r} may be in the lab already: its dispatch was begun; "
                f"run 'pertloop dispatch {batch_id}' to end it."
            )
            raise WrongStateError(msg)
        work.campaigns.advance(work.campaigns.get(batch.campaign))
        work.batches.save(moved)
        work.log.append(batch.campaign, services.entry(verb, batch_id, why))
        work.commit()
    return moved
