"""A task without pictures, of a user's own making, goes through the same study to a verdict."""

import math
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

import penchant as pn
from penchant.divergences import Divergence, LinkName
from penchant.randomness import generator
from penchant.study import Study
from penchant.tasks import Metric, Score, Split, Task, evaluate

# Four units in one layer cannot learn a ring; sixty waves in three can.
WORDS: dict = {
    "designs": [{"width": 4, "depth": 1}, {"activation": "finer", "scale": 5, "width": 20}],
    "seeds": 6,
    "steps": 100,
    "tune": 2,
}


class CrossEntropy(Divergence):
    """Negative log-likelihood of one-hot targets under a softmax: a divergence of one's own."""

    def parts(self, answer: Tensor, target: Tensor) -> Tensor:
        return -(target * answer.log_softmax(dim=1))

    def slopes(self, answer: Tensor, target: Tensor) -> Tensor:
        return answer.softmax(dim=1) - target


class Rings(Task):
    """Is a point of the plane within the ring? Two classes."""

    name = "rings"
    metrics = (
        Metric("accuracy_held_out", "%", margin=1.0),
        Metric("nll_held_out", "nats", margin=0.05, higher_is_better=False),
    )
    inputs = 2
    outputs = 2
    fingerprint = "rings 1"

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        return CrossEntropy()

    def points(self, seed: int) -> Float[Tensor, "points 2"]:
        return 2 * torch.rand((240, 2), generator=generator(seed, "rings")) - 1

    def split(self, seed: int, *, validation: bool = False) -> Split:
        points = self.points(seed)
        held_out, seen = points[:80], points[80:]
        return RingsSplit(*((seen[:32], seen[32:]) if validation else (held_out, seen)))

    def seen_values(self) -> int:
        return 160 * self.outputs


class RingsSplit(Split):
    def __init__(self, asked: Tensor, seen: Tensor) -> None:
        self.inputs, self.targets = seen, self.classes(seen)
        self.asked = asked

    @staticmethod
    def classes(points: Tensor) -> Tensor:
        radius = points.norm(dim=1)
        return nn.functional.one_hot(((radius > 0.4) & (radius < 0.9)).long(), 2).float()

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        return self._score(evaluate(network, self.asked))

    def constant_score(self) -> Score:
        return self._score(self.targets.mean(dim=0).log().expand(len(self.asked), 2))

    def _score(self, answers: Tensor) -> Score:
        truth = self.classes(self.asked)
        accuracy = (answers.argmax(1) == truth.argmax(1)).double().mean()
        nll = CrossEntropy(validate=False)(answers, truth)
        return Score({"accuracy_held_out": 100 * float(accuracy), "nll_held_out": float(nll)})


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(Rings(), **WORDS)


@pytest.fixture(scope="module")
def results(study: Study) -> pn.Results:
    return study.run()


def test_divergence_is_what_the_test_says() -> None:
    output = torch.randn((5, 2), generator=generator(0, "output"), dtype=torch.float64)
    target = RingsSplit.classes(torch.rand((5, 2), generator=generator(0, "target"))).double()
    output.requires_grad_()
    (gradient,) = torch.autograd.grad(CrossEntropy()(output, target), output)
    torch.testing.assert_close(CrossEntropy().derivative(output.detach(), target), gradient)


def test_reaches_a_verdict(results: pn.Results) -> None:
    (verdict,) = results.verdicts
    assert (verdict.design, verdict.baseline) == ("finer", "relu")
    assert verdict.metric == "accuracy_held_out" and verdict.n == 6 and verdict.unit == "%"
    assert verdict.verdict == "better" and verdict.interval[0] > 0
    assert results.reconstructions == ()


def test_pilots_are_judged_on_validation_points(results: pn.Results) -> None:
    assert [pilot.design for pilot in results.pilots] == ["relu", "relu", "finer", "finer"]
    assert all(0 <= pilot.score <= 100 for pilot in results.pilots)


def test_lower_is_better_where_the_metric_says_so(results: pn.Results) -> None:
    judged = Study(Rings(), **WORDS, metric="nll_held_out").run()
    (verdict,) = judged.verdicts
    assert verdict.mean_difference < 0 and verdict.verdict == "better"
    for label in judged.designs:
        mine = [pilot for pilot in judged.pilots if pilot.design == label]
        assert min(mine, key=lambda pilot: pilot.score).chosen


def test_table_has_the_tasks_metrics(results: pn.Results) -> None:
    frame = results.to_pandas()
    assert list(frame.columns[-2:]) == ["accuracy_held_out", "nll_held_out"]
    assert len(frame) == 12


def test_diverged_run_is_scored_as_the_constant() -> None:
    words = {"designs": [{"activation": "elu", "learning_rate": 1e30}], "seeds": 1, "tune": 0}
    (run,) = Study(Rings(), steps=20, **words).run().runs
    assert run.status == "diverged"
    assert run.metrics["nll_held_out"] == pytest.approx(math.log(2), abs=0.1)


def test_page_of_it(results: pn.Results, tmp_path: Path) -> None:
    text = pn.report(results, tmp_path / "report.html").read_text(encoding="utf-8")
    assert results.verdicts[0].sentence.split(" (")[0] in text


def test_network_is_kept_and_read(tmp_path: Path) -> None:
    words = {"designs": [{"width": 8}], "seeds": 1, "steps": 5, "tune": 0}
    (run,) = Study(Rings(), out=tmp_path, **words).run().runs
    loaded = pn.load(tmp_path / "networks" / "relu--seed0.safetensors")
    assert loaded.signal.kind == "samples"
    assert Rings().split(0).score(loaded.network).metrics == run.metrics
    with pytest.raises(pn.PenchantError, match="only those of signals are rendered"):
        loaded.render()
