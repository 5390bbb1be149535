import numpy as np
import torch

from loop.ports.arrays import Combinations, Representations, View
from surrogate.encoding import Encoder, standardised_doses
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings


def test_levels_that_a_perturbagen_lacks_are_zero_and_count_for_nothing():
    doses = standardised_doses(np.array([[-1.0, 1.0], [0.0, np.nan]]))

    assert doses[1, 1] == 0.0
    np.testing.assert_allclose(doses[0], [-(1.5**0.5), 1.5**0.5])


def test_items_have_what_the_views_that_know_them_say():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(40, 2))
    table = np.concatenate([hidden @ rng.normal(size=(2, 5)), hidden @ rng.normal(size=(2, 3))], 1)
    known = np.stack([np.arange(40) > 3, np.arange(40) != 0], axis=1)
    views = (View("one", 5, known[:, 0]), View("two", 3, known[:, 1]))
    doses = np.zeros((40, 1))
    given = Representations(
        table * np.repeat(known, [5, 3], axis=1), known.any(axis=1), np.eye(1), doses, views
    )
    whitenings = Whitenings.of(given, 2)
    encoder = Encoder(
        given, whitenings.perturbagens, torch.device("cpu"), torch.float64, PriorEvidence((), doses)
    )

    singles = np.arange(40)[:, None]
    items, _ = encoder(Combinations(singles, np.zeros_like(singles), np.zeros(40, dtype=np.int64)))

    assert items.known[:, 0].tolist() == [0.0] + [1.0] * 39
    assert not items.features[0].any()
    whole = whitenings.perturbagens(table, np.ones_like(known))
    guessed = items.features[1:4].numpy()
    assert np.abs(guessed - whole[1:4]).max() < 0.1
