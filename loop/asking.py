"""What a campaign asks of its next batch, and what is known when it asks."""

from collections.abc import Sequence

import numpy as np

from loop.choose import Known, Question, audit_wells, best_so_far
from loop.conflicts import Asked, refuse_conflicts
from loop.constraints import limits_of
from loop.domain.campaign import Campaign
from loop.domain.perturbation import Perturbation
from loop.layout import check_capacity
from loop.ports.arrays import Combinations
from loop.ports.engine import Limits, Surrogate
from loop.provided import Services
from loop.standing import Standing
from loop.supply import supply_of


def question_of(
    services: Services, standing: Standing, references: Sequence[Perturbation]
) -> Question:
    """The campaign's question, whatever has been measured so far."""
    campaign, library = standing.record.campaign, standing.inputs.library
    rules = campaign.batch
    required = [Perturbation.parse(key) for key in rules.constraints.must_include]
    return Question(
        space=standing.space,
        goal=campaign.goal,
        readouts=campaign.readouts,
        audit=rules.audit,
        settings=campaign.acquisition.settings,
        references=standing.index.encode(references),
        limits=limits_of(rules, library.perturbagens),
        orders=library.orders,
        replicates=rules.replicates,
        required=standing.addresses(required),
        explore=rules.explore,
        explore_by=rules.explore_by,
        first=rules.first,
        representations=standing.inputs.representations,
        compute=services.settings.compute,
        checkpoint=services.checkpoint_folder(campaign) / "scan",
    )


def known_of(
    standing: Standing,
    references: Sequence[Perturbation],
    surrogate: Surrogate | None,
    informed: bool,
) -> Known:
    """What is known; a first batch that is `informed` by earlier screens knows nothing measured."""
    record = standing.record
    readout = record.campaign.readout
    values = np.array(
        [record.observed.value(each.key, readout.name) for each in record.tested], dtype=np.float64
    )
    return Known(
        surrogate,
        np.union1d(standing.taken, standing.addresses(references)),
        standing.index.encode(record.pending),
        None if informed else best_so_far(record.campaign.goal, readout, values),
        standing.training if record.observed.by_key and not informed else None,
    )


def check_constraints(
    standing: Standing, question: Question, known: Known, size: int, said: str
) -> None:
    """Refuse a batch that could not keep its constraints, given what is left.

    Args:
        standing: How the campaign stands.
        question: What is asked.
        known: What is taken.
        size: Choices, references included.
        said: Who asked for so many: `batch.size` or `--size`.

    Raises:
        ConflictingConstraintsError: The sentence names the smallest part that cannot hold.
    """
    required = question.space.unrank(question.still_required(known.taken))
    wells = audit_wells(size, question.audit)
    asked = asked_of(
        standing.record.campaign,
        len(standing.inputs.library.contexts),
        question.limits,
        (question.references, required),
        (size, wells),
        (said, "propose with --size"),
        question.audit,
    )
    if not asked.binds or size - len(question.references) > _left(question, known):
        return
    supply = supply_of(question.space, question.orders, known.taken, question.limits)
    refuse_conflicts(asked, supply)


def _left(question: Question, known: Known) -> int:
    return question.space.on_offer() - len(known.taken)


def asked_of(
    campaign: Campaign,
    contexts: int,
    limits: Limits,
    fixed: tuple[Combinations, Combinations],
    sizes: tuple[int, int],
    words: tuple[str, str],
    share: float,
) -> Asked:
    """All that one batch of a campaign has to be.

    Args:
        campaign: Its rules.
        contexts: How many contexts its library has.
        limits: Those of the whole batch.
        fixed: References, and must-haves still to be measured.
        sizes: Choices, and audit wells among them.
        words: Who asked for the size, and how to ask for another.
        share: The share that made the audit wells.
    """
    rules, lab = campaign.batch, campaign.lab
    # A plate holds no more contexts than the batch has perturbations, beside the control's.
    most = min(contexts, sizes[0] + bool(lab.positive))
    return Asked(
        size=sizes[0],
        size_said=words[0],
        audit=min(sizes[1], sizes[0] - len(fixed[0])),
        audit_share=share,
        limits=limits,
        references=fixed[0],
        required=fixed[1],
        max_plates=rules.constraints.max_plates,
        plate_wells=check_capacity(lab, most),
        replicates=rules.replicates,
        size_mend=words[1],
    )
