"""What every surrogate owes, as tests."""

import json
from dataclasses import replace

import numpy as np
import pytest

from loop.domain.errors import InvalidError, NothingMeasuredError
from loop.ports.arrays import (
    Belief,
    Combinations,
    FloatArray,
    PriorScreen,
    Representations,
    SurrogateState,
    TrainingSet,
    View,
)
from loop.ports.engine import Compute, Surrogate, SurrogateFactory, SurrogateProblem

_PERTURBAGENS = 9
_KNOWN = 7
_READOUTS = 2
_SLOTS = 3


class SurrogateContract:
    """Laws of `Surrogate`. Subclass it, and give the factory.

    The suite asks with 9 perturbagens at up to 2 dose levels, sets of up to 3 of them in 2
    contexts, 2 readouts, and some 40 observations. A surrogate that believes the same of
    everything says so by `tells_apart = False`; it owes no more doubt where nothing is known.
    """

    tells_apart = True

    @pytest.fixture
    def factory(self) -> SurrogateFactory:
        """The factory under test."""
        raise NotImplementedError

    @pytest.fixture
    def surrogate(self, factory: SurrogateFactory) -> Surrogate:
        """A fitted surrogate."""
        return _fitted(factory, observations(40))

    def test_an_unknown_setting_is_refused(self, factory: SurrogateFactory) -> None:
        """With the setting's name in the sentence."""
        with pytest.raises(InvalidError, match="membrs"):
            factory(problem(membrs=3))

    def test_an_unfitted_surrogate_refuses_to_believe(self, factory: SurrogateFactory) -> None:
        """It has learned nothing."""
        with pytest.raises(NothingMeasuredError):
            factory(problem()).believe(every_kind())

    def test_values_are_needed(self, factory: SurrogateFactory) -> None:
        """A training set of nothing but missing values teaches nothing."""
        training = observations(4, missing=1.0)

        with pytest.raises(NothingMeasuredError):
            factory(problem()).fit(training, np.random.default_rng(0))

    def test_beliefs_are_finite_with_positive_noise(self, surrogate: Surrogate) -> None:
        """For every kind of set: none, one, several, known and unknown, seen and not."""
        belief = surrogate.believe(every_kind())

        assert belief.mean.shape == (len(every_kind()), _READOUTS)
        assert np.isfinite(belief.mean).all()
        assert np.isfinite(belief.epistemic_sd).all()
        assert (belief.epistemic_sd >= 0).all()
        assert (belief.aleatoric_sd > 0).all()
        assert belief.mean.dtype == belief.sd.dtype == np.float64

    def test_the_same_data_and_seed_give_the_same_state(self, factory: SurrogateFactory) -> None:
        """Bit for bit, on one machine."""
        first, second = (_fitted(factory, observations(20)).state() for _ in range(2))

        assert first.settings == second.settings
        assert first.arrays.keys() == second.arrays.keys()
        for name, array in first.arrays.items():
            np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)

    def test_the_order_of_components_does_not_matter(self, surrogate: Surrogate) -> None:
        """Even where a caller did not sort them."""
        plain = Combinations(
            np.array([[0, 3, 8], [1, 4, -1]]), np.array([[0, 1, 0], [1, 0, -1]]), np.array([0, 1])
        )
        turned = Combinations(
            np.array([[8, 0, 3], [-1, 4, 1]]), np.array([[0, 0, 1], [-1, 0, 1]]), np.array([0, 1])
        )

        _same(surrogate.believe(plain), surrogate.believe(turned), rtol=1e-3, atol=1e-4)

    def test_a_restored_surrogate_believes_exactly_the_same(
        self, factory: SurrogateFactory, surrogate: Surrogate
    ) -> None:
        """After its settings have been through JSON and its arrays through bytes."""
        restored = factory(problem())
        restored.restore(_through_bytes(surrogate.state()))

        _same(restored.believe(every_kind()), surrogate.believe(every_kind()))
        _same(restored.out_of_fold(), surrogate.out_of_fold())
        assert restored.state().settings == surrogate.state().settings

    def test_a_restored_surrogate_learns_on(
        self, factory: SurrogateFactory, surrogate: Surrogate
    ) -> None:
        """From more data, among them perturbagens it had not met."""
        warm = factory(problem())
        warm.restore(_through_bytes(surrogate.state()))
        warm.fit(observations(60), np.random.default_rng(5))

        assert len(warm.out_of_fold()) == 60
        assert np.isfinite(warm.believe(every_kind()).mean).all()

    def test_the_state_is_not_changed_by_learning_on(
        self, factory: SurrogateFactory, surrogate: Surrogate
    ) -> None:
        """What was handed out stays as it was."""
        state = surrogate.state()
        before = {name: array.copy() for name, array in state.arrays.items()}
        surrogate.fit(observations(50), np.random.default_rng(5))

        for name, array in before.items():
            np.testing.assert_array_equal(array, state.arrays[name], err_msg=name)

    def test_missing_readouts_are_allowed(self, factory: SurrogateFactory) -> None:
        """Some values, or a whole readout."""
        some = observations(20, missing=0.3)
        some.values[:, 1] = np.nan
        belief = _fitted(factory, some).believe(every_kind())

        assert np.isfinite(belief.mean).all()
        assert (belief.aleatoric_sd > 0).all()

    def test_one_observation_is_enough(self, factory: SurrogateFactory) -> None:
        """Then the belief is wide and finite."""
        surrogate = _fitted(factory, observations(1))
        belief = surrogate.believe(every_kind())

        assert np.isfinite(belief.mean).all()
        assert (belief.sd > 0).all()
        assert np.isfinite(surrogate.out_of_fold().mean).all()

    def test_believing_nothing_is_fine(self, surrogate: Surrogate) -> None:
        """N = 0."""
        belief = surrogate.believe(every_kind()[slice(0, 0)])

        assert belief.mean.shape == (0, _READOUTS)

    def test_the_answer_does_not_depend_on_what_else_is_asked(self, surrogate: Surrogate) -> None:
        """One at a time, or all at once, a thousand times over."""
        asked = every_kind()
        many = asked[np.tile(np.arange(len(asked)), 400)]
        each = Belief.joined(
            [surrogate.believe(asked[slice(row, row + 1)]) for row in range(len(asked))]
        )

        whole = surrogate.believe(many)

        _same(whole[slice(0, len(asked))], each, rtol=1e-3, atol=1e-4)
        _same(whole[slice(len(many) - len(asked), None)], each, rtol=1e-3, atol=1e-4)

    def test_every_training_row_is_predicted_out_of_fold(self, surrogate: Surrogate) -> None:
        """Row by row, finite, with positive noise."""
        folded = surrogate.out_of_fold()

        assert folded.mean.shape == (40, _READOUTS)
        assert np.isfinite(folded.mean).all()
        assert np.isfinite(folded.epistemic_sd).all()
        assert (folded.aleatoric_sd > 0).all()

    def test_out_of_fold_a_row_does_not_know_its_own_value(self, factory: SurrogateFactory) -> None:
        """An absurd value of one row shows less in its own out-of-fold mean than half of it."""
        training = observations(40)
        training.values[0] = training.values[1:].mean(axis=0) + 50.0

        folded = _fitted(factory, training).out_of_fold()

        assert (np.abs(training.values[0] - folded.mean[0]) > 25.0).all()

    def test_a_value_in_an_unmeasured_place_cannot_matter(self, factory: SurrogateFactory) -> None:
        """Where no well was measured, replicates and spread are not looked at."""
        plain, odd = observations(20, missing=0.4), observations(20, missing=0.4)
        absent = ~np.isfinite(odd.values)
        odd.replicates[absent] = 7
        odd.spread[absent] = 1e9

        _same(
            _fitted(factory, plain).believe(every_kind()),
            _fitted(factory, odd).believe(every_kind()),
        )

    def test_the_botorch_model_agrees_with_the_belief(self, surrogate: Surrogate) -> None:
        """Over rows of `Combinations.features()`, batched as b x q."""
        import torch

        asked = every_kind()
        features = torch.as_tensor(asked.features())
        model = surrogate.model()
        joint = model.posterior(features)  # type: ignore[attr-defined]
        apart = model.posterior(features[:, None, :])  # type: ignore[attr-defined]

        expected = torch.as_tensor(surrogate.believe(asked).mean)
        assert joint.mean.shape == (len(asked), _READOUTS)
        assert apart.mean.shape == (len(asked), 1, _READOUTS)
        torch.testing.assert_close(joint.mean.double(), expected, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(apart.mean[:, 0].double(), expected, rtol=1e-3, atol=1e-3)

    def test_random_state_elsewhere_is_left_alone(self, factory: SurrogateFactory) -> None:
        """Neither numpy's nor torch's global generator moves."""
        import torch

        drawn, legacy = torch.random.get_rng_state(), repr(np.random.get_state())
        surrogate = _fitted(factory, observations(20))
        surrogate.believe(every_kind())
        surrogate.model()

        assert torch.equal(drawn, torch.random.get_rng_state())
        assert repr(np.random.get_state()) == legacy

    def test_progress_ends_at_one_and_may_cancel(self, factory: SurrogateFactory) -> None:
        """What `progress` raises comes through."""
        shares: list[float] = []
        factory(problem()).fit(
            observations(10), np.random.default_rng(0), lambda share, _: shares.append(share)
        )

        def cancel(share: float, doing: str) -> None:
            raise KeyboardInterrupt

        assert shares[-1] == 1.0
        assert shares == sorted(shares)
        with pytest.raises(KeyboardInterrupt):
            factory(problem()).fit(observations(10), np.random.default_rng(0), cancel)

    def test_the_empty_set_is_the_control_of_its_context(self, surrogate: Surrogate) -> None:
        """Whatever stands in the slots that are empty, and surer than a set nobody has met."""
        empty = np.full((2, _SLOTS), -1)
        contexts = np.array([0, 1])
        control = surrogate.believe(Combinations(empty, empty, contexts))
        written_otherwise = surrogate.believe(Combinations(empty, np.zeros_like(empty), contexts))

        _same(control, written_otherwise)
        if self.tells_apart:
            stranger = surrogate.believe(_alone([_PERTURBAGENS - 1], [0]))
            assert (control.epistemic_sd[0] < stranger.epistemic_sd[0]).all()

    def test_a_readout_in_other_units_gives_the_same_beliefs(
        self, factory: SurrogateFactory
    ) -> None:
        """Up to the unit: so whatever is chosen from them stays the same."""
        plain = observations(40)
        other = replace(plain, values=250.0 * plain.values - 4_000.0, spread=250.0 * plain.spread)

        first = _fitted(factory, plain).believe(every_kind())
        second = _fitted(factory, other).believe(every_kind())

        size = plain.values.std(axis=0)
        within = 0.02 * size
        assert (np.abs((second.mean + 4_000.0) / 250.0 - first.mean) < within).all()
        assert (np.abs(second.epistemic_sd / 250.0 - first.epistemic_sd) < within).all()
        assert (np.abs(second.aleatoric_sd / 250.0 - first.aleatoric_sd) < within).all()

    def test_shuffled_values_cannot_be_predicted_out_of_fold(
        self, factory: SurrogateFactory
    ) -> None:
        """No leak: over a few shuffles the correlation is about 0, or less."""
        found = []
        for seed in range(4):
            training = observations(60)
            order = np.random.default_rng(seed).permutation(60)
            shuffled = replace(training, values=training.values[order])
            folded = _fitted(factory, shuffled).out_of_fold()
            found += [
                _correlation(*pair) for pair in zip(folded.mean.T, shuffled.values.T, strict=True)
            ]

        assert np.mean(found) < 0.2

    def test_a_perturbagen_that_nobody_has_met_is_in_more_doubt(self, surrogate: Surrogate) -> None:
        """Without a UR and never measured, against those that were measured."""
        met = surrogate.believe(_alone(list(range(6)), [0] * 6))
        stranger = surrogate.believe(_alone([_PERTURBAGENS - 1], [0]))

        if self.tells_apart:
            assert (stranger.epistemic_sd[0] > met.epistemic_sd.mean(axis=0)).all()

    def test_a_context_that_nobody_has_met_is_in_more_doubt(
        self, factory: SurrogateFactory
    ) -> None:
        """Against the same perturbagens in contexts that were measured."""
        plain = problem()
        three = replace(plain, representations=replace(plain.representations, contexts=np.eye(3)))
        surrogate = _fitted(factory, observations(40), three)
        met, strange = (surrogate.believe(_alone(list(range(6)), [where] * 6)) for where in (0, 2))

        if self.tells_apart:
            assert (strange.epistemic_sd.mean(axis=0) > met.epistemic_sd.mean(axis=0)).all()

    def test_a_readout_that_never_varies_is_learned_from(self, factory: SurrogateFactory) -> None:
        """Then it is believed, finitely and with some noise."""
        training = observations(20)
        training.values[:, 0] = 3.0
        surrogate = _fitted(factory, training)
        belief = surrogate.believe(every_kind())

        assert np.isfinite(belief.sd).all()
        assert (belief.aleatoric_sd > 0).all()
        np.testing.assert_allclose(belief.mean[:, 0], 3.0, atol=0.5)
        assert np.isfinite(surrogate.out_of_fold().mean).all()

    def test_an_infinite_value_is_a_missing_one(self, factory: SurrogateFactory) -> None:
        """It teaches what NaN would have taught."""
        missing, infinite = observations(20), observations(20)
        missing.values[3, 0] = np.nan
        infinite.values[3, 0] = np.inf

        _same(
            _fitted(factory, missing).believe(every_kind()),
            _fitted(factory, infinite).believe(every_kind()),
        )

    def test_views_may_miss_rows(self, factory: SurrogateFactory) -> None:
        """Perturbagens that one view knows and another does not are learned around."""
        seen = problem(views=True)
        surrogate = _fitted(factory, observations(40), seen)
        restored = factory(seen)
        restored.restore(_through_bytes(surrogate.state()))

        assert np.isfinite(surrogate.believe(every_kind()).sd).all()
        _same(restored.believe(every_kind()), surrogate.believe(every_kind()))

    def test_an_earlier_screen_may_be_attached(self, factory: SurrogateFactory) -> None:
        """Of another library; a restored surrogate finds it again."""
        told = replace(problem(), prior=(earlier_screen(),))
        surrogate = _fitted(factory, observations(40), told)
        restored = factory(told)
        restored.restore(_through_bytes(surrogate.state()))

        assert np.isfinite(surrogate.believe(every_kind()).sd).all()
        _same(restored.believe(every_kind()), surrogate.believe(every_kind()))

    def test_a_library_without_urs_or_contexts_is_enough(self, factory: SurrogateFactory) -> None:
        """Identity is all there is, in one context."""
        bare = Representations(
            np.zeros((_PERTURBAGENS, 0)),
            np.zeros(_PERTURBAGENS, dtype=bool),
            np.ones((1, 1)),
            problem().representations.doses,
        )
        training = observations(40)
        contexts = np.zeros(40, dtype=np.int64)
        alone = replace(training, combinations=replace(training.combinations, contexts=contexts))
        surrogate = _fitted(factory, alone, replace(problem(), representations=bare))
        asked = replace(every_kind(), contexts=np.zeros(len(every_kind()), dtype=np.int64))

        assert np.isfinite(surrogate.believe(asked).mean).all()
        assert (surrogate.believe(asked).sd > 0).all()


def problem(views: bool = False, **settings: str | float | bool) -> SurrogateProblem:
    """The problem that the suite asks about; with two `views`, each knows some rows only."""
    rng = np.random.default_rng(11)
    known = np.arange(_PERTURBAGENS) < _KNOWN
    doses = np.full((_PERTURBAGENS, 2), np.nan)
    doses[:, 0] = 0.0
    doses[:5, 1] = 1.0
    representations = Representations(
        rng.normal(size=(_PERTURBAGENS, 4)) * known[:, None], known, np.eye(2), doses
    )
    if views:
        representations = _in_views(representations)
    return SurrogateProblem(representations, _SLOTS, _READOUTS, settings, Compute(threads=1))


def every_kind() -> Combinations:
    """The empty set, single perturbagens, sets; seen ones and unseen, in both contexts."""
    components = np.array(
        [[-1, -1, -1], [0, -1, -1], [8, -1, -1], [0, 1, -1], [0, 1, 2], [3, 4, 7], [5, 7, 8]]
    )
    levels = np.where(components < 0, -1, 0)
    levels[3, 0] = 1
    contexts = np.array([0, 0, 1, 1, 0, 1, 0])
    return Combinations(components, levels, contexts)


def observations(count: int, missing: float = 0.0) -> TrainingSet:
    """`count` random perturbations of the first 6 perturbagens (all 9 past 45), the control first.

    A share `missing` of the values is missing.
    """
    rng = np.random.default_rng(7)
    most = _PERTURBAGENS if count > 45 else 6
    seen: set[tuple[tuple[int, ...], int]] = {((), 0)}
    rows = [((), 0)]
    while len(rows) < count:
        order = int(rng.integers(1, _SLOTS + 1))
        row = (tuple(sorted(rng.choice(most, order, replace=False).tolist())), int(rng.integers(2)))
        if row not in seen:
            seen.add(row)
            rows.append(row)
    components = np.full((count, _SLOTS), -1)
    for place, (members, _) in enumerate(rows):
        components[place, : len(members)] = members
    effect = rng.normal(size=(_PERTURBAGENS + 1, _READOUTS))
    effect[-1] = 0.0
    values = effect[components].sum(axis=1) + 0.3 * rng.normal(size=(count, _READOUTS))
    values[rng.random(values.shape) < missing] = np.nan
    there = np.isfinite(values)
    replicates = np.where(there, rng.integers(1, 4, values.shape), 0)
    spread = np.where(replicates > 1, 0.3, np.nan)
    return TrainingSet(
        Combinations(
            components,
            np.where(components < 0, -1, 0),
            np.array([context for _, context in rows]),
        ),
        values,
        replicates,
        spread,
        rng.integers(2**63, size=count).astype(np.uint64),
        np.zeros(count, dtype=bool),
    )


def earlier_screen() -> PriorScreen:
    """45 pairs of 10 perturbagens, 7 of which the suite's library has too."""
    rng = np.random.default_rng(13)
    pairs = np.array([(one, other) for one in range(10) for other in range(one + 1, 10)])
    effect = rng.normal(size=10)
    return PriorScreen(
        name="earlier.csv, growth",
        combinations=Combinations(pairs, np.zeros_like(pairs), np.zeros(len(pairs), dtype=int)),
        values=effect[pairs].sum(axis=1) + 0.3 * rng.normal(size=len(pairs)),
        doses=np.zeros((10, 1)),
        positions=np.array([*range(7), -1, -1]),
    )


def _in_views(representations: Representations) -> Representations:
    """Two views of 2 columns: rows 0 to 4 are in the first, rows 2 to 6 in the second."""
    rows = np.arange(_PERTURBAGENS)
    first, second = rows < 5, (rows >= 2) & (rows < _KNOWN)
    table = representations.perturbagens.copy()
    table[:, :2] *= first[:, None]
    table[:, 2:] *= second[:, None]
    views = View("first", 2, first), View("second", 2, second)
    return replace(representations, perturbagens=table, known=first | second, views=views)


def _alone(perturbagens: list[int], contexts: list[int]) -> Combinations:
    """Single perturbagens, each in a context."""
    components = np.full((len(perturbagens), _SLOTS), -1)
    components[:, 0] = perturbagens
    return Combinations(components, np.where(components < 0, -1, 0), np.array(contexts))


def _correlation(first: FloatArray, second: FloatArray) -> float:
    """0 where either is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _fitted(
    factory: SurrogateFactory, training: TrainingSet, asked: SurrogateProblem | None = None
) -> Surrogate:
    surrogate = factory(asked or problem())
    surrogate.fit(training, np.random.default_rng(3))
    return surrogate


def _through_bytes(state: SurrogateState) -> SurrogateState:
    arrays = {
        name: np.frombuffer(array.tobytes(), dtype=array.dtype).reshape(array.shape)
        for name, array in state.arrays.items()
    }
    return SurrogateState(arrays, json.loads(json.dumps(dict(state.settings))))


def _same(first: Belief, second: Belief, rtol: float = 0.0, atol: float = 0.0) -> None:
    for name in ("mean", "epistemic_sd", "aleatoric_sd"):
        np.testing.assert_allclose(
            getattr(first, name), getattr(second, name), rtol=rtol, atol=atol, err_msg=name
        )
