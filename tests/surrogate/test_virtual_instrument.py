import json
from datetime import UTC, datetime

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from loop.contracts.surrogate import every_kind, observations, problem
from loop.domain.errors import (
    IncompatibleError,
    InvalidError,
    NothingMeasuredError,
    UnreadableFileError,
)
from surrogate.ensemble import Ensemble
from surrogate.virtual_instrument import Card, Output, VirtualInstrument, read_card

GENES = tuple(Output(f"gene{number}", "log2 fold change") for number in range(40))


def card(**changes):
    given = {
        "name": "pseudobulk",
        "outputs": GENES,
        "data": "a simulated Perturb-seq",
        "licence": "CC-BY-4.0",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Card(**{**given, **changes})


def fitted_ensemble(seed=1):
    ensemble = Ensemble(problem(members=6, steps=60))
    ensemble.fit(observations(60), np.random.default_rng(seed))
    return ensemble


@pytest.fixture(scope="module")
def ensemble():
    return fitted_ensemble()


def expression(noise, columns=40):
    """Genes that follow what the ensemble's own readouts would be without noise."""
    training = observations(60)
    rng = np.random.default_rng(4)
    lean = rng.normal(size=(2, columns))
    levels = np.nan_to_num(training.values) @ lean
    return training.combinations, levels, levels + noise * rng.normal(size=levels.shape)


def test_a_vector_is_read_off_states_that_were_learned_for_something_else(ensemble):
    asked, truth, values = expression(0.3)
    learn, rest = np.arange(40), np.arange(40, 60)

    instrument = VirtualInstrument.fit(ensemble, asked[learn], values[learn], card())
    belief = instrument.predict(asked[rest])

    left = np.mean((belief.mean - truth[rest]) ** 2) / truth[rest].var()
    assert left < 0.35
    within = np.abs(values[rest] - belief.mean) < 1.645 * belief.sd
    assert 0.75 < within.mean() < 0.99


def test_an_instrument_comes_back_from_its_file_as_it_was(ensemble, tmp_path):
    asked, _, values = expression(0.3)
    instrument = VirtualInstrument.fit(ensemble, asked, values, card(snapshot="ab" * 32))
    instrument.save(tmp_path / "genes.safetensors")

    again = VirtualInstrument.load(tmp_path / "genes.safetensors", ensemble)

    assert again.card == instrument.card
    assert again.facts == instrument.facts
    assert again.facts["members"] == 6
    for name in ("mean", "epistemic_sd", "aleatoric_sd"):
        one, other = (getattr(each.predict(every_kind()), name) for each in (instrument, again))
        np.testing.assert_array_equal(one, other)
    assert read_card(tmp_path / "genes.safetensors")[0] == instrument.card
    assert [path.name for path in tmp_path.iterdir()] == ["genes.safetensors"]


def test_other_manipulators_are_refused(ensemble, tmp_path):
    asked, _, values = expression(0.3)
    VirtualInstrument.fit(ensemble, asked, values, card()).save(tmp_path / "file")

    with pytest.raises(IncompatibleError, match="reads the manipulators of another ensemble"):
        VirtualInstrument.load(tmp_path / "file", fitted_ensemble(seed=2))


def test_the_same_ensemble_restored_from_its_state_is_accepted(ensemble, tmp_path):
    asked, _, values = expression(0.3)
    VirtualInstrument.fit(ensemble, asked, values, card()).save(tmp_path / "file")
    restored = Ensemble(problem(members=6))
    restored.restore(ensemble.state())

    assert VirtualInstrument.load(tmp_path / "file", restored).card == card()


@pytest.mark.parametrize("noun", ["name", "data", "licence"])
def test_a_card_says_all_that_a_reader_needs(noun):
    with pytest.raises(InvalidError, match=f"says no {noun}"):
        card(**{noun: " "})


def test_a_file_without_a_licence_is_refused(ensemble, tmp_path):
    asked, _, values = expression(0.3)
    VirtualInstrument.fit(ensemble, asked, values, card()).save(tmp_path / "file")
    with safe_open(tmp_path / "file", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    entry, text = next(iter(metadata.items()))
    told = json.loads(text)
    told["licence"] = ""
    save_file(tensors, tmp_path / "file", {entry: json.dumps(told)})

    with pytest.raises(InvalidError, match="says no licence"):
        VirtualInstrument.load(tmp_path / "file", ensemble)


@pytest.mark.parametrize("content", [None, b"", b"something else altogether"])
def test_what_is_no_instrument_is_refused(ensemble, tmp_path, content):
    if content is not None:
        (tmp_path / "file").write_bytes(content)

    with pytest.raises(UnreadableFileError, match="no virtual instrument"):
        VirtualInstrument.load(tmp_path / "file", ensemble)


def test_outputs_may_miss_some_rows_and_learn_from_the_others_alone(ensemble):
    asked, _, values = expression(0.1, columns=3)
    outputs = GENES[:3]
    holes = values.copy()
    holes[::2, 1] = np.nan
    rows = np.flatnonzero(np.isfinite(holes[:, 1]))

    whole = VirtualInstrument.fit(ensemble, asked, holes, card(outputs=outputs))
    alone = VirtualInstrument.fit(
        ensemble, asked[rows], values[rows][:, [1]], card(outputs=outputs[1:2])
    )

    np.testing.assert_allclose(
        whole.predict(asked).mean[:, 1], alone.predict(asked).mean[:, 0], rtol=1e-8
    )


def test_values_that_do_not_fit_the_card_are_refused(ensemble):
    asked, _, values = expression(0.1)

    with pytest.raises(InvalidError, match="a column for each of 40 outputs"):
        VirtualInstrument.fit(ensemble, asked, values[:, :3], card())
    with pytest.raises(NothingMeasuredError, match="'gene0' has 0 finite values"):
        VirtualInstrument.fit(ensemble, asked, np.full(values.shape, np.nan), card())


def test_training_an_instrument_leaves_the_ensemble_as_it_was(ensemble):
    before = ensemble.manipulators()
    asked, _, values = expression(0.3)

    VirtualInstrument.fit(ensemble, asked, values, card())

    assert ensemble.manipulators() == before
