"""What a task of one's own has without saying anything."""

import pytest
from torch import nn

from penchant.errors import PenchantError
from penchant.tasks import Metric, Split, Task


class Own(Task):
    name = "own"
    metrics = (Metric("error", "", margin=0.1, higher_is_better=False),)
    inputs = outputs = 1
    fingerprint = "own 1"

    def split(self, seed: int, *, validation: bool = False) -> Split:
        raise NotImplementedError

    def seen_values(self) -> int:
        return 1


def test_l2_between_outputs_and_targets() -> None:
    divergence = Own().divergence()
    assert (divergence.name, divergence.link, divergence.reduction) == ("l2", "identity", "mean")
    assert not divergence.validate
    network = nn.Identity()
    assert Own().answering(network, divergence) is network


def test_distances_may_be_chosen() -> None:
    for name in ("l2", "l1", "huber"):
        assert Own().divergence(name).name == name
    assert Own().divergence("huber", delta=0.5).delta == 0.5


@pytest.mark.parametrize(
    ("name", "link"), [("kl", None), ("binary_kl", None), ("l2", "sigmoid"), ("l2", "softmax")]
)
def test_outputs_are_the_answers(name: str, link: str | None) -> None:
    """Behind a link they would be logits, which this task's scores do not know."""
    with pytest.raises(PenchantError, match=r"own takes a network's outputs for its answers"):
        Own().divergence(name, link)  # type: ignore[arg-type]


def test_unknown_divergence() -> None:
    with pytest.raises(PenchantError, match="did you mean 'huber'"):
        Own().divergence("hubert")


def test_metrics_are_watched_unless_they_say_otherwise() -> None:
    assert Own.metrics[0].watched
    assert "watched" not in repr(Own.metrics[0])
