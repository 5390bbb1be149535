"""What all tests share."""

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("loop.contracts")

settings.register_profile("pertloop", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("pertloop")
