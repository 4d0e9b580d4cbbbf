"""Every topic, computed once for all tests."""

from collections.abc import Callable
from functools import cache

import pytest

from penchant.explain import Explanation, explain


@pytest.fixture(scope="session")
def explained() -> Callable[[str], Explanation]:
    return cache(explain)
