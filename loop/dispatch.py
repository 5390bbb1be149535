"""Use case: a batch becomes plates in a lab, exactly once."""

import hashlib
from dataclasses import replace

import numpy as np

from loop.domain.batch import Batch, BatchState
from loop.domain.campaign import Campaign
from loop.domain.dispatch import Dispatch, JobState
from loop.domain.errors import LayoutError, WrongStateError
from loop.layout import lay_out
from loop.ports.lab import WorkOrder
from loop.provided import Services

_LAYOUT_STREAM = 1


def dispatch_batch(services: Services, batch_id: str) -> Dispatch:
    """Lay an approved batch out on plates and hand it to its lab; twice makes one job.

    The intention is committed before the lab is called. After a crash in between, the lab is
    asked whether it knows the job, and only a job that it does not know is handed over again.

    Raises:
        BatchNotFoundError: If there is no such batch.
        WrongStateError: If it is not approved.
        LayoutError: If it does not fit the plates, or the lab cannot make it.
        LabUnreachableError: If the lab could not be reached; dispatch again later.
    """
    with services.storage.reading() as work:
        batch = work.batches.get(batch_id)
        campaign = work.campaigns.get(batch.campaign)
        dispatch = work.dispatches.get(batch_id)
    if dispatch is not None and dispatch.state is JobState.QUEUED:
        return dispatch
    lab = services.lab(campaign)
    if dispatch is None:
        if batch.state is not BatchState.APPROVED:
            msg = (
                f"Batch {batch_id!r} is {batch.state.value}; only an approved batch can be "
                f"dispatched: run 'pertloop approve {batch_id}' first."
            )
            raise WrongStateError(msg)
        dispatch = _planned(services, campaign, batch)
        for problem in lab.validate(_order(campaign, batch, dispatch)):
            if problem.blocks:
                raise LayoutError(problem.sentence)
        with services.storage.writing() as work:
            work.campaigns.advance(campaign)
            work.dispatches.add(dispatch)
            work.commit()
    order = _order(campaign, batch, dispatch)
    reference = lab.find(dispatch.key) or lab.submit(order, lab.render(order))
    queued = replace(dispatch, state=JobState.QUEUED, reference=reference)
    with services.storage.writing() as work:
        current = work.batches.get(batch_id)
        work.campaigns.advance(work.campaigns.get(batch.campaign))
        work.dispatches.save(queued)
        if current.state is BatchState.APPROVED:
            work.batches.save(current.moved_to(BatchState.DISPATCHED))
            work.log.append(campaign.name, services.entry("dispatch", batch_id, f"{reference}"))
        work.commit()
    return queued


def _planned(services: Services, campaign: Campaign, batch: Batch) -> Dispatch:
    seed = int(
        np.random.SeedSequence([batch.seed, _LAYOUT_STREAM]).generate_state(1, np.uint64)[0] >> 1
    )
    plates = lay_out(batch, campaign.lab, np.random.default_rng(seed))
    design = "\n".join(
        f"{plate.id} {plate.format.value} {well.name} {well.role.value} "
        f"{well.perturbation.key if well.perturbation else ''}"
        for plate in plates
        for well in plate.wells
    )
    parts = (campaign.name, batch.id, hashlib.sha256(design.encode()).hexdigest())
    key = hashlib.sha256("\n".join((*parts, campaign.lab.adapter)).encode()).hexdigest()[:32]
    return Dispatch(key, batch.id, campaign.lab.adapter, plates, seed, services.clock.now())


def _order(campaign: Campaign, batch: Batch, dispatch: Dispatch) -> WorkOrder:
    return WorkOrder(
        dispatch.key,
        campaign.name,
        batch.id,
        batch.number,
        dispatch.plates,
        campaign.readouts,
    )
