"""Use case: choose the next batch."""

import math

import numpy as np

from loop import plugins
from loop.asking import check_constraints, known_of, question_of
from loop.choose import Selection, choose
from loop.domain.batch import Batch, Choice, ChosenBy, PredictedReadout
from loop.domain.campaign import Campaign
from loop.domain.errors import (
    InvalidError,
    NotEnoughCandidatesError,
    StaleCampaignError,
)
from loop.domain.perturbation import Perturbation
from loop.first_batch import has_informed_start, in_sds, prior_surrogate
from loop.learn import Learned, unpacked
from loop.outlook import with_forecast
from loop.ports.engine import Progress, silent
from loop.provided import Services
from loop.standing import Standing, read_record


def propose_batch(
    services: Services,
    name: str,
    size: int | None = None,
    progress: Progress = silent,
) -> Batch:
    """Choose the next batch, or return the one that is still open.

    The long computation stands between two short transactions; if another writer changed the
    campaign in between, their open batch is returned, or the request refused, and nothing is
    written.

    Raises:
        CampaignNotFoundError: If there is no such campaign.
        BudgetSpentError: If the budget does not allow the size.
        NotEnoughCandidatesError: If fewer candidates are left.
        StaleCampaignError: If the campaign was changed meanwhile.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
    if record.open_batch is not None:
        return record.open_batch
    standing = Standing(record, services.read_inputs(record.campaign))
    batch = _choose_batch(services, standing, size, progress)
    try:
        with services.storage.writing() as work:
            work.campaigns.advance(record.campaign)
            work.batches.add(batch)
            work.log.append(
                name, services.entry("propose", batch.id, f"{len(batch.choices)} perturbations")
            )
            work.commit()
    except StaleCampaignError:
        with services.storage.reading() as work:
            theirs = read_record(work, name).open_batch
        if theirs is None:
            raise
        return theirs
    return batch


def _choose_batch(
    services: Services, standing: Standing, asked: int | None, progress: Progress
) -> Batch:
    record = standing.record
    campaign = record.campaign
    size = campaign.next_size(asked, record.spent)
    if size < 1:
        msg = f"A batch of {size} was asked for; ask for at least one perturbation."
        raise InvalidError(msg)
    references = [Perturbation.parse(key) for key in campaign.batch.reference]
    if len(references) >= size:
        msg = (
            f"A batch of {size} has no room beside its {len(references)} reference designs; "
            f"ask for more than {len(references)}."
        )
        raise NotEnoughCandidatesError(msg)
    learned = _champion(services, standing)
    number = len(record.batches) + 1
    seed = _seed(campaign.seed, number)
    question = question_of(services, standing, references)
    problem = services.problem(campaign, standing.inputs)
    informed = learned is None and has_informed_start(problem, campaign.goal)
    surrogate = None if learned is None else learned.surrogate
    if informed:
        surrogate, question = prior_surrogate(problem, seed), in_sds(question)
    known = known_of(standing, references, surrogate, informed)
    check_constraints(standing, question, known, size, "batch.size" if asked is None else "--size")
    selection = choose(
        question,
        known,
        plugins.acquisition(campaign.acquisition.name),
        size - len(references),
        np.random.default_rng(seed),
        progress,
    )
    champion = record.champion
    batch = Batch(
        id=f"{campaign.name}.b{number}",
        campaign=campaign.name,
        number=number,
        choices=tuple(_choices(standing, learned, selection, references)),
        seed=seed,
        surrogate="prior" if informed else campaign.surrogate.name,
        acquisition=(
            campaign.acquisition.name if learned or informed else _blind(campaign, selection)
        ),
        snapshot=champion.id if champion else None,
        created_at=services.clock.now(),
        replicates=campaign.batch.replicates,
        notes=selection.notes,
    )
    return with_forecast(record, batch, selection.values)


def _seed(campaign_seed: int, number: int) -> int:
    words = np.random.SeedSequence([campaign_seed, number]).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def _blind(campaign: Campaign, selection: Selection) -> str:
    """Who chose a batch before anything was known."""
    all_by_lot = ChosenBy.ACQUISITION not in selection.chosen_by
    return "lot" if all_by_lot else campaign.batch.first.value


def _champion(services: Services, standing: Standing) -> Learned | None:
    champion = standing.record.champion
    if champion is None:
        return None
    surrogate = services.surrogate(standing.record.campaign, standing.inputs)
    return unpacked(surrogate, services.states.load(champion.id))


def _choices(
    standing: Standing,
    learned: Learned | None,
    selection: Selection,
    references: list[Perturbation],
) -> list[Choice]:
    chosen = standing.index.decode(standing.space.unrank(selection.addresses))
    perturbations = [*references, *chosen]
    beliefs = predicted_readouts(standing, learned, perturbations)
    reference_choices = [
        Choice(each, ChosenBy.REFERENCE, None, "Reference design: repeats to show drift.", belief)
        for each, belief in zip(references, beliefs, strict=False)
    ]
    own = [
        Choice(
            each,
            by,
            _known(score),
            reason,
            belief,
            _known(chance),
            rank or None,
            _known(contribution),
        )
        for each, by, score, reason, belief, chance, rank, contribution in zip(
            chosen,
            selection.chosen_by,
            selection.scores.tolist(),
            selection.reasons,
            beliefs[len(references) :],
            selection.inclusion.tolist(),
            selection.ranks.tolist(),
            selection.contributions.tolist(),
            strict=True,
        )
    ]
    return reference_choices + own


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


def predicted_readouts(
    standing: Standing, learned: Learned | None, perturbations: list[Perturbation]
) -> list[dict[str, PredictedReadout]]:
    """The calibrated belief about each perturbation, by readout; empty without a surrogate."""
    if learned is None or not perturbations:
        return [{} for _ in perturbations]
    belief = learned.surrogate.believe(standing.index.encode(perturbations))
    tables: list[dict[str, PredictedReadout]] = [{} for _ in perturbations]
    for column, readout in enumerate(standing.record.campaign.readouts):
        low, high = learned.interval(belief, column)
        scale = learned.scale(belief, column)
        for row, table in enumerate(tables):
            table[readout.name] = PredictedReadout(
                float(belief.mean[row, column]),
                float(belief.epistemic_sd[row, column] * scale[row]),
                float(belief.aleatoric_sd[row, column] * scale[row]),
                float(low[row]),
                float(high[row]),
            )
    return tables
