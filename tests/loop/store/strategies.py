"""Any of each noun that is stored."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from loop.domain.batch import (
    Batch,
    BatchState,
    Choice,
    ChosenBy,
    Forecast,
    PredictedReadout,
    RoundScores,
)
from loop.domain.campaign import (
    BatchRules,
    Campaign,
    FirstBatch,
    LabRules,
    PluginChoice,
    RetrainRules,
)
from loop.domain.constraints import Constraints, GroupRule
from loop.domain.dispatch import Dispatch, JobState
from loop.domain.goal import Goal, Normalization, Readout
from loop.domain.log import LogEntry
from loop.domain.observation import Measurement, RejectedRow, ResultsFile, WellStatus
from loop.domain.perturbation import Component, Dose, Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.domain.snapshot import Snapshot, SnapshotState

# Any text at all, NUL and lone surrogates included: lab files hold them.
texts = st.text(st.characters(), max_size=12)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
counts = st.integers(0, 2**40)
seeds = st.integers(0, 2**130)
numbers = st.floats(allow_nan=False)
finite = st.floats(allow_nan=False, allow_infinity=False)
ids = st.text("ABCdef019-_.µ", min_size=1, max_size=6)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])
moments = st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=zones)
settings = st.dictionaries(texts, texts | st.integers() | numbers | st.booleans(), max_size=3)

# A key keeps twelve digits of a dose.
doses = st.builds(
    Dose, st.integers(1, 10**6).map(lambda n: n / 1000), st.sampled_from(["uM", "nM"])
)
perturbations = st.builds(
    Perturbation,
    st.lists(
        st.builds(Component, ids, st.none() | doses),
        max_size=3,
        unique_by=lambda part: part.perturbagen,
    ).map(tuple),
    ids,
)

readouts = st.builds(
    Readout,
    name=ids,
    unit=texts,
    low=st.just(-float("inf")) | st.floats(-9, 0),
    high=st.just(float("inf")) | st.floats(1, 9),
    normalization=st.sampled_from(Normalization),
)
constraints = st.builds(
    Constraints,
    st.lists(texts, max_size=2).map(tuple),
    numbers,
    st.none() | numbers,
    counts,
    st.lists(
        st.builds(GroupRule, texts, st.none() | texts, counts, st.none() | counts), max_size=2
    ).map(tuple),
    numbers,
)
plugins = st.builds(PluginChoice, ids, settings)
campaigns = st.builds(
    Campaign,
    name=st.text("abc019.", min_size=1, max_size=9).filter(lambda name: name[0] != "."),
    # The other goals ask for thresholds, targets or directions.
    goal=st.sampled_from([Goal.MAXIMIZE, Goal.MINIMIZE, Goal.LEARN_MAP]),
    seed=seeds,
    readouts=st.lists(readouts, min_size=1, max_size=3, unique_by=lambda r: r.name).map(tuple),
    library_hash=hashes,
    embeddings_hash=st.none() | hashes,
    batch=st.builds(
        BatchRules,
        counts,
        numbers,
        counts,
        counts,
        st.lists(texts, max_size=2).map(tuple),
        numbers,
        texts,
        st.sampled_from(FirstBatch),
        constraints,
    ),
    surrogate=plugins,
    acquisition=plugins,
    lab=st.builds(
        LabRules,
        ids,
        st.sampled_from(PlateFormat),
        st.integers(1, 99),
        counts,
        st.none() | texts,
        settings,
    ),
    retrain=st.builds(RetrainRules, st.none() | texts, counts),
    created_at=moments,
    budget=counts,
    version=st.integers(1, 2**40),
)
choices = st.builds(
    Choice,
    perturbation=perturbations,
    chosen_by=st.sampled_from(ChosenBy),
    score=st.none() | numbers,
    reason=texts,
    belief=st.dictionaries(
        texts, st.builds(PredictedReadout, numbers, numbers, numbers, numbers, numbers), max_size=2
    ),
    inclusion_probability=st.none() | finite,
    rank=st.none() | counts,
    contribution=st.none() | numbers,
)
maybe = st.none() | numbers
scores = st.builds(RoundScores, counts, st.none() | counts, *[maybe] * 8)
batches = st.builds(
    Batch,
    id=texts,
    campaign=texts,
    number=counts,
    choices=st.lists(choices, max_size=3).map(tuple),
    seed=seeds,
    surrogate=ids,
    acquisition=ids,
    snapshot=st.none() | hashes,
    created_at=moments,
    replicates=st.integers(1, 9),
    state=st.sampled_from(BatchState),
    decided_by=st.none() | texts,
    why=st.none() | texts,
    scores=st.none() | scores,
    forecast=st.none() | st.builds(Forecast, numbers, numbers, numbers, maybe, texts),
    notes=st.lists(texts, max_size=3).map(tuple),
)
wells = st.lists(
    st.builds(
        Well,
        st.sampled_from(["A01", "B07", "H12", "C3"]),
        st.sampled_from(Role),
        st.none() | perturbations,
        st.integers(1, 5),
    ),
    max_size=4,
    unique_by=lambda well: well.name,
).map(tuple)
dispatches = st.builds(
    Dispatch,
    key=texts,
    batch=texts,
    adapter=ids,
    plates=st.lists(
        st.builds(Plate, texts, texts, st.sampled_from(PlateFormat), wells),
        max_size=3,
        unique_by=lambda plate: plate.id,
    ).map(tuple),
    layout_seed=seeds,
    created_at=moments,
    state=st.sampled_from(JobState),
    reference=st.none() | texts,
)
files = st.builds(ResultsFile, hashes, texts, counts, counts, counts, counts, moments)
measurements = st.builds(
    Measurement,
    plate=texts,
    well=texts,
    readout=texts,
    value=numbers,
    unit=texts,
    status=st.sampled_from(WellStatus),
    source=hashes,
    measured_at=texts,
    flag=texts,
    revision=st.integers(1, 9),
)
rejected_rows = st.builds(RejectedRow, hashes, counts, texts, texts)
snapshots = st.builds(
    Snapshot,
    id=hashes,
    campaign=texts,
    number=counts,
    surrogate=ids,
    parent=st.none() | hashes,
    data_hash=hashes,
    observations=counts,
    seed=seeds,
    code_version=texts,
    scores=st.dictionaries(texts, maybe, max_size=3),
    verdict=texts,
    created_at=moments,
    state=st.sampled_from(SnapshotState),
    stale=st.booleans(),
)
log_entries = st.builds(LogEntry, moments, texts, texts, texts, texts, texts)
