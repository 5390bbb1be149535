from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab_adapters.hidden_truth import HiddenTruth
from loop.domain.perturbation import Component, Dose, Perturbation

TRUTH = HiddenTruth(seed=7, modules=12)
GENES = [f"G{number:03d}" for number in range(1, 241)]


def together(*names, context="K562"):
    return Perturbation(tuple(map(Component, names)), context)


PAIRS = [together(*pair) for pair in combinations(GENES, 2)]
SETS = st.lists(
    st.builds(
        together,
        st.sampled_from(GENES[:30]),
        context=st.sampled_from(["K562", "Jurkat"]),
    )
    | st.builds(
        lambda names, context: together(*names, context=context),
        st.lists(st.sampled_from(GENES[:30]), max_size=5, unique=True),
        st.sampled_from(["K562", "Jurkat"]),
    ),
    min_size=1,
    max_size=12,
)


@given(perturbations=SETS, data=st.data())
@settings(max_examples=40, deadline=None)
def test_an_answer_depends_on_nothing_but_the_question(perturbations, data):
    shuffled = data.draw(st.permutations(perturbations))

    answers = dict(zip(perturbations, TRUTH.effects(perturbations, "fitness"), strict=True))

    for each, effect in zip(shuffled, TRUTH.effects(shuffled, "fitness"), strict=True):
        assert effect == answers[each]
    assert TRUTH.effects(shuffled[:1], "fitness")[0] == answers[shuffled[0]]


def test_nothing_does_nothing():
    assert TRUTH.effects([Perturbation((), "K562")], "fitness").tolist() == [0.0]
    assert TRUTH.effects([], "fitness").shape == (0,)


def test_effects_of_pairs_are_about_one_and_heavy_in_the_tails():
    effects = TRUTH.effects(PAIRS, "fitness")
    standard = (effects - effects.mean()) / effects.std()

    assert 0.6 < effects.std() < 1.6
    assert (standard**4).mean() > 3.5


def test_pairs_are_not_the_sum_of_their_parts():
    singles = dict(zip(GENES, TRUTH.effects([together(g) for g in GENES], "fitness"), strict=True))
    effects = TRUTH.effects(PAIRS, "fitness")
    added = np.array([sum(singles[part.perturbagen] for part in p.components) for p in PAIRS])

    assert 0.1 < 1 - ((effects - added) ** 2).mean() / effects.var() < 0.8


def test_three_together_are_more_than_their_pairs_and_singles():
    rng = np.random.default_rng(0)
    names = [sorted(rng.choice(GENES, 3, replace=False)) for _ in range(300)]

    def below_ceiling(sets):
        return np.arctanh(TRUTH.effects(sets, "fitness") / 5.0) * 5.0

    higher = [
        below_ceiling([together(*three)])[0]
        - below_ceiling([together(*two) for two in combinations(three, 2)]).sum()
        + below_ceiling([together(one) for one in three]).sum()
        for three in names
    ]

    assert np.mean(np.abs(higher) > 0.3) > 0.03
    assert np.median(np.abs(higher)) < 0.3


@pytest.mark.parametrize("other", [("fitness", "Jurkat"), ("damage", "K562")])
def test_contexts_and_readouts_differ_and_contexts_are_related(other):
    readout, context = other
    here = TRUTH.effects(PAIRS[:3000], "fitness")
    there = TRUTH.effects(
        [Perturbation(each.components, context) for each in PAIRS[:3000]], readout
    )

    correlation = np.corrcoef(here, there)[0, 1]
    assert correlation < 0.9
    if context != "K562":
        assert correlation > 0.3


def test_seeds_differ():
    other = HiddenTruth(8, 12).effects(PAIRS[:3000], "fitness")

    assert abs(np.corrcoef(TRUTH.effects(PAIRS[:3000], "fitness"), other)[0, 1]) < 0.3


def test_more_of_one_perturbagen_does_more_up_to_its_full_effect():
    doses = [Dose(10.0**power, "uM") for power in range(-4, 5)]
    for name in GENES[:10]:
        full = TRUTH.effects([together(name)], "fitness")[0]

        curve = TRUTH.effects(
            [Perturbation((Component(name, dose),), "K562") for dose in doses], "fitness"
        )

        assert np.all(np.diff(np.abs(curve)) >= 0)
        assert abs(curve[0]) < 0.1 * abs(full)
        assert curve[-1] == pytest.approx(full, rel=0.05)


def test_the_same_amount_in_another_unit_does_the_same():
    pair = [Perturbation.parse(key) for key in ("G001@0.5uM|K562", "G001@500nM|K562")]

    one, other = TRUTH.effects(pair, "fitness")

    assert one == pytest.approx(other)
