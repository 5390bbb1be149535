import inspect

import pytest

from loop.domain import errors

LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_is_one_of_the_tree_that_the_module_shows(kind):
    assert issubclass(kind, errors.LoopError)
    assert kind.__name__ in (errors.__doc__ or "")
