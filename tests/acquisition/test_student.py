import numpy as np
import pytest
import torch

from acquisition.cascade.exponential_scores import ExponentialScores
from acquisition.cascade.student import StudentRater, fit_student
from acquisition.scanning.item_numbers import ItemNumbers
from acquisition.scanning.tile_blocks import TileBlocks
from loop.ports.arrays import FloatArray, IntArray
from loop.space import VirtualSpace


class World:
    """Items with effects and factors, and what sets of them are worth."""

    def __init__(self, items: int, rank: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.effects = np.append(rng.normal(size=items), 0.0)
        self.factors = np.vstack([rng.normal(size=(items, rank)), np.zeros(rank)])
        self.meeting = rng.normal(size=(rank, rank))
        self.meeting += self.meeting.T.copy()

    def worth(self, numbers: IntArray) -> FloatArray:
        total = 0.7 + self.effects[numbers].sum(axis=1)
        for one in range(numbers.shape[1]):
            for other in range(one):
                left, right = self.factors[numbers[:, one]], self.factors[numbers[:, other]]
                total += ((left @ self.meeting) * right).sum(axis=1)
        worth: FloatArray = total
        return worth

    def table(self, sets: IntArray) -> FloatArray:
        """Of every item with every landmark set; NaN where the landmark holds it."""
        items = len(self.effects) - 1
        columns = []
        for landmark in sets:
            rows = np.column_stack([np.arange(items), np.tile(landmark, (items, 1))])
            column = self.worth(rows)
            column[landmark] = np.nan
            columns.append(column)
        return np.stack(columns, axis=1)


def drawn_sets(items: int, size: int, count: int, seed: int = 1) -> IntArray:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.integers(0, items, (count, size)), axis=1)
    return rows[(np.diff(rows, axis=1) > 0).all(axis=1)]


@pytest.mark.parametrize("order", [2, 3])
def test_a_student_learns_a_bilinear_world(order: int) -> None:
    world = World(items=60, rank=4)
    landmarks = drawn_sets(60, order - 1, 24) if order > 2 else np.arange(0, 60, 3)[:, None]
    numbers = drawn_sets(60, order, 4_000)

    student = fit_student(world.table(landmarks), numbers, world.worth(numbers), rank=4)

    unseen = drawn_sets(60, order, 500, seed=9)
    assert student.rank == 4
    assert student.r2 > 0.95
    assert np.corrcoef(student.scores(unseen), world.worth(unseen))[0, 1] ** 2 > 0.95


def test_the_student_of_noise_says_that_it_explains_nothing() -> None:
    rng = np.random.default_rng(3)
    numbers = drawn_sets(40, 2, 3_000)

    student = fit_student(rng.normal(size=(40, 12)), numbers, rng.normal(size=len(numbers)), 8)

    assert student.r2 < 0.05


def test_the_student_of_equal_candidates_says_that_all_are_equal() -> None:
    numbers = drawn_sets(40, 2, 600)

    student = fit_student(np.full((40, 12), 1.5), numbers, np.full(len(numbers), 1.5), 8)

    assert np.allclose(student.scores(numbers), 1.5)


def test_few_candidates_teach_few_factors() -> None:
    world = World(items=60, rank=8)
    numbers = drawn_sets(60, 2, 130)

    student = fit_student(
        world.table(np.arange(20)[:, None]), numbers, world.worth(numbers), rank=16
    )

    assert student.rank * (student.rank + 3) / 2 + 2 <= len(numbers) / 6


@pytest.mark.parametrize("orders", [(2,), (3,), (2, 3)])
def test_tiles_hold_what_the_student_says_of_each_candidate(orders: tuple[int, ...]) -> None:
    levels = [1, 2, 1, 3, 1, 1, 2, 1]
    space = VirtualSpace(levels, 2, orders)
    items = ItemNumbers(space.items)
    students = {}
    for context in range(2):
        for order in orders:
            world = World(len(items), rank=3, seed=context)
            landmarks = drawn_sets(len(items), order - 1, 9) if order > 2 else np.arange(9)[:, None]
            numbers = drawn_sets(len(items), order, 2_000)
            students[context, order] = fit_student(
                world.table(landmarks), numbers, world.worth(numbers), rank=3
            )
    rater = StudentRater(students, items)

    seen = 0
    blocks = TileBlocks(space, 3, 5)
    for block in range(len(blocks)):
        for tiles in blocks.tiles(block):
            begun = rater.begin(tiles[0].stripe.prefixes)
            for tile in tiles:
                scores, _ = rater.twin().rate(begun, tile.first, tile.stop)
                item, row = np.divmod(np.arange(scores.numel()), scores.shape[1])
                real = tile.first + item >= tile.stripe.starts[row]
                made = space.unrank(tile.addresses(np.flatnonzero(real)))
                order = int((made.components[0] >= 0).sum())
                student = students[int(made.contexts[0]), order]
                expected = torch.from_numpy(student.scores(items.of(made)))
                assert torch.allclose(
                    scores.flatten()[torch.from_numpy(real)].double(), expected, atol=1e-4
                )
                seen += int(real.sum())
    assert seen == len(space)


def test_scores_hang_on_the_order_of_utilities_alone() -> None:
    utilities = np.random.default_rng(0).normal(size=500)
    weights = np.ones(500)

    plain = ExponentialScores(utilities, weights)(utilities)
    bent = ExponentialScores(np.exp(3 * utilities), weights)(np.exp(3 * utilities))

    assert np.array_equal(plain, bent)
    assert (np.argsort(plain) == np.argsort(utilities)).all()
    assert plain.max() == pytest.approx(np.log(1_000))


def test_scores_count_a_candidate_for_all_that_it_stands_for() -> None:
    scores = ExponentialScores(np.array([0.0, 1.0]), np.array([3.0, 1.0]))

    assert scores(np.array([0.5])) == pytest.approx(-np.log(0.25))
    assert scores(np.array([-9.0, 9.0])).tolist() == pytest.approx([0.0, -np.log(0.125)])


def test_twins_share_what_never_changes_and_rate_in_buffers_of_their_own() -> None:
    space = VirtualSpace([1] * 9, 1, (2,))
    world, items = World(9, 2), ItemNumbers(space.items)
    table = world.table(np.arange(6)[:, None])
    pairs = np.array([[i, j] for i in range(9) for j in range(i + 1, 9)])
    rater = StudentRater({(0, 2): fit_student(table, pairs, world.worth(pairs), 2)}, items)
    prefixes = items.sets(np.array([[0], [3]]), 0, 2)
    twin = rater.twin()

    begun, theirs = rater.begin(prefixes), twin.begin(prefixes)
    scores = rater.rate(begun, 4, 9)[0].clone()
    other = twin.rate(theirs, 4, 9)[0]
    rater.rate(begun, 0, 5)

    assert begun.items is theirs.items  # type: ignore[attr-defined]
    assert torch.equal(scores, other)


def test_a_rater_refuses_what_another_has_begun() -> None:
    space = VirtualSpace([1] * 9, 1, (2,))

    with pytest.raises(TypeError, match="begin gives what rate takes, not str"):
        StudentRater({}, ItemNumbers(space.items)).rate("begun", 0, 1)
