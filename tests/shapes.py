"""The checker that tests put on every function of the package (tests/conftest.py).

It looks at arrays alone: mypy sees to all other types, and a wrong one must reach the package's
own error.
"""

from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check arrays that go into a function and come out of it against its signature."""
    hints = function.__annotations__
    shaped = {name: hint for name, hint in hints.items() if _has_shape(hint)}
    if not shaped:
        return function
    function.__annotations__ = shaped
    return beartype(function)


def _has_shape(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_has_shape(part) for part in get_args(hint))
