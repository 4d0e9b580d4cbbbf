"""The topics that there are: where each is made, and what it is about in a line."""

import importlib
from typing import NamedTuple

from penchant.errors import PenchantError, nearest
from penchant.explain._explanation import Explanation


class Topic(NamedTuple):
    """A function that returns the explanation, and a line for the list.

    It takes no arguments, but for a topic that can be asked of a network: `network` and `input`.
    """

    function: str
    line: str
    of_network: bool = False


TOPICS = {
    "l2": Topic("penchant.explain._l2:l2", "half the squared error, and which way it pushes"),
    "kl": Topic("penchant.explain._kl:kl", "the divergence between probabilities, and its limits"),
    "kl-vs-l2": Topic(
        "penchant.explain._kl_vs_l2:kl_vs_l2",
        "why KL over L2: where one gradient dies and the other does not",
    ),
    "sigmoid": Topic(
        "penchant.explain._sigmoid:sigmoid",
        "two Gaussian classes, and why their posterior is a sigmoid",
    ),
    "descent": Topic(
        "penchant.explain._descent:descent",
        "the step downhill, and how large it may be",
    ),
    "routing": Topic(
        "penchant.explain._routing:routing",
        "which gradient arrives where, in a small network or in yours",
        of_network=True,
    ),
}
"""By the name that one types; a topic's module is loaded when it is asked for."""


def load(topic: str, **asked: object) -> Explanation:
    """Compute a topic's explanation.

    Args:
        topic: a name in `TOPICS`.
        asked: `network` and `input`, for a topic that can be asked of a network.

    Raises:
        PenchantError: there is no such topic, or it is asked of a network and cannot be.
    """
    if topic not in TOPICS:
        raise PenchantError(f"explain {topic!r}: no such topic; {nearest(topic, list(TOPICS))}")
    asked = {key: value for key, value in asked.items() if value is not None}
    if asked and not TOPICS[topic].of_network:
        able = ", ".join(name for name, other in TOPICS.items() if other.of_network)
        raise PenchantError(f"explain {topic!r}: takes no {' and no '.join(asked)}; {able} does")
    module, _, function = TOPICS[topic].function.partition(":")
    made = getattr(importlib.import_module(module), function)(**asked)
    assert isinstance(made, Explanation)
    return made
