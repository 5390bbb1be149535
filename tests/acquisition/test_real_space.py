"""On the hub's own candidate space: orders 1 to 3, doses, contexts, a forbidden pair."""

import numpy as np
import pytest
import torch
from torch import Tensor

from acquisition.rules.expected_improvement import LogExpectedImprovement
from acquisition.rules.greedy import Greedy
from acquisition.rules.max_variance import MaxVariance
from acquisition.rules.uniform import Uniform
from loop.domain.goal import Goal
from loop.ports.arrays import Combinations
from loop.ports.engine import Acquisition
from loop.space import VirtualSpace
from tests.acquisition.asking import ask
from tests.acquisition.linear_draws import LinearDraws


class _AnyOrder(LinearDraws):
    """Main effects only, of as many perturbagens as there are."""

    def member_means(self, combinations: Combinations) -> Tensor:
        effects = torch.cat([self.effects, torch.zeros(len(self.effects), 1)], dim=1)
        parts = effects[:, torch.from_numpy(combinations.components)]
        return parts.sum(dim=-1, keepdim=True)


@pytest.mark.parametrize(
    "acquisition", [Greedy(), LogExpectedImprovement(), MaxVariance(), Uniform()]
)
@pytest.mark.parametrize("perturbagens", [12, 300])
def test_batches_come_from_spaces_small_and_large(
    acquisition: Acquisition, perturbagens: int
) -> None:
    space = VirtualSpace([1, 2] * (perturbagens // 2), 2, (1, 2, 3), forbidden=[{0, 1}])
    nothing = np.empty(0, dtype=np.int64)
    settings = {} if isinstance(acquisition, Uniform) else {"scan_limit": 30_000}
    asked = ask(
        Goal.MAXIMIZE,
        space=space,
        surrogate=_AnyOrder(perturbagens),
        taken=nothing,
        pending=space.unrank(nothing),
        uses=np.zeros(perturbagens, dtype=np.int64),
        size=12,
        max_uses=5,
        settings=settings,
    )

    chosen = acquisition.choose(asked, np.random.default_rng(0))

    combinations = space.unrank(chosen.addresses)
    used = combinations.components[combinations.components >= 0]
    assert len(set(chosen.addresses.tolist())) == 12
    assert space.permitted(combinations).all()
    assert np.bincount(used).max() <= 5
