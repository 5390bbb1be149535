"""Use case: learn from everything measured, and adopt the result if it deserves it."""

from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from loop.domain.errors import WrongStateError
from loop.domain.snapshot import Snapshot, SnapshotState
from loop.learn import learn_round, packed, unpacked
from loop.observe import data_hash
from loop.ports.engine import Progress, silent
from loop.provided import Services
from loop.standing import Standing, read_record

_TRAINING_STREAM = 2


@dataclass(frozen=True, slots=True)
class Retrained:
    """The snapshot that came of it. `again`: these data had been learned from already."""

    snapshot: Snapshot
    again: bool


def retrain(
    services: Services, name: str, scratch: bool = False, progress: Progress = silent
) -> Retrained:
    """Train on all observations, starting from the champion, and adopt if it is not worse.

    With the same data as the newest snapshot this returns that one, whatever became of it,
    unless `scratch` asks for a fresh start. Whatever is declined is kept, with the reason.

    Raises:
        CampaignNotFoundError: If there is no such campaign.
        NothingMeasuredError: If there is nothing to learn from.
        StaleCampaignError: If the campaign was changed meanwhile; nothing was written.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
    campaign, champion = record.campaign, record.champion
    standing = Standing(record, services.read_inputs(campaign))
    training = standing.training
    hashed = data_hash(training)
    newest = record.snapshots[-1] if record.snapshots else None
    if newest and newest.data_hash == hashed and not newest.stale and not scratch:
        return Retrained(newest, again=True)
    number = len(record.snapshots) + 1
    stream = np.random.SeedSequence([campaign.seed, number, _TRAINING_STREAM])
    seed = int(stream.generate_state(1, np.uint64)[0] >> 1)
    champion_learned = None
    if champion is not None:
        state = services.states.load(champion.id)
        champion_learned = unpacked(services.surrogate(campaign, standing.inputs), state)
    _, verdict, learned = learn_round(
        lambda: services.surrogate(campaign, standing.inputs, services.checkpoint_folder(campaign)),
        champion_learned,
        training,
        np.random.default_rng(seed),
        scratch,
        progress,
    )
    state = packed(learned)
    # The seed makes two trainings two snapshots, even where they end in the same numbers.
    state = replace(state, settings={**state.settings, "training_seed": seed})
    snapshot = Snapshot(
        id=services.states.save(state),
        campaign=name,
        number=number,
        surrogate=campaign.surrogate.name,
        parent=champion.id if champion and not scratch else None,
        data_hash=hashed,
        observations=len(training),
        seed=seed,
        code_version=version("pertloop"),
        scores=verdict.scores,
        verdict=verdict.sentence,
        created_at=services.clock.now(),
        state=SnapshotState.CHAMPION if verdict.adopt else SnapshotState.DECLINED,
    )
    with services.storage.writing() as work:
        work.campaigns.advance(campaign)
        if verdict.adopt and champion is not None:
            work.snapshots.save(replace(champion, state=SnapshotState.RETIRED))
        work.snapshots.add(snapshot)
        work.log.append(name, services.entry("retrain", snapshot.id[:12], verdict.sentence))
        work.commit()
    return Retrained(snapshot, again=False)


def adopt(services: Services, name: str, snapshot_id: str) -> Snapshot:
    """Make a stored snapshot the champion, forwards or back; adopting it twice changes nothing.

    Raises:
        SnapshotNotFoundError: If there is no such snapshot, or its file is gone.
        WrongStateError: If it is of another surrogate than the campaign's.
    """
    with services.storage.writing() as work:
        record = read_record(work, name)
        chosen = work.snapshots.get(name, snapshot_id)
        if chosen.state is SnapshotState.CHAMPION:
            return chosen
        if chosen.surrogate != record.campaign.surrogate.name:
            msg = (
                f"Snapshot {chosen.id[:12]} is a {chosen.surrogate!r}, but campaign {name!r} "
                f"uses {record.campaign.surrogate.name!r}; choose another snapshot."
            )
            raise WrongStateError(msg)
        services.states.load(chosen.id)
        if record.champion is not None:
            work.snapshots.save(replace(record.champion, state=SnapshotState.RETIRED))
        judged = chosen.verdict.split("; then adopted by ")[0].rstrip(".")
        told = f"{judged}; then adopted by {services.who}."
        adopted = replace(chosen, state=SnapshotState.CHAMPION, verdict=told)
        work.snapshots.save(adopted)
        work.campaigns.advance(record.campaign)
        work.log.append(name, services.entry("adopt", chosen.id[:12]))
        work.commit()
    return adopted
