import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from penchant.divergences import DIVERGENCES
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks import (
    ClassificationTask,
    Labelled,
    _classification_split,
    calibration_error,
    load_labelled,
)

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.permutation(np.repeat([0, 1, 2], [10, 25, 40]))
VECTORS = Labelled("vectors", RANDOM.normal(5, 3, (75, 4)), LABELS)
IMAGES = Labelled("images", RANDOM.integers(0, 256, (75, 3, 2, 1), dtype=np.uint8), LABELS)
WITH_TEST = Labelled("with test", VECTORS.inputs, LABELS, test=20)
TASKS = {
    "vectors": (VECTORS, "test"),
    "random": (VECTORS, "random:0.4"),
    "images": (IMAGES, "test"),
    "own test part": (WITH_TEST, "test"),
    "mixed in": (WITH_TEST, "random:0.2"),
}
every_task = pytest.mark.parametrize(
    "task", [ClassificationTask(*given) for given in TASKS.values()]
)


def network(inputs=4, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 3))


class Constant(nn.Module):
    """Answers every sample with the same row."""

    def __init__(self, *row):
        super().__init__()
        self.row = torch.tensor(row)

    def forward(self, inputs):
        return self.row.expand(len(inputs), -1)


@every_task
@pytest.mark.parametrize("validation", [False, True])
def test_a_split_is_the_same_whenever_it_is_made(task, validation):
    one = task.split(3, validation=validation)
    torch.rand(5)
    other = task.split(4, validation=validation)
    two = pickle.loads(pickle.dumps(task)).split(3, validation=validation)
    assert torch.equal(one.inputs, two.inputs) and torch.equal(one.targets, two.targets)
    np.testing.assert_array_equal(one.held_out, two.held_out)
    fixed = task.data.test and task.held_out == "test" and not validation
    assert np.array_equal(one.held_out, other.held_out) == bool(fixed)


@settings(deadline=None, max_examples=30)
@given(which=st.sampled_from(sorted(TASKS)), seed=st.integers(0, 10**6))
def test_parts_are_disjoint_and_validation_never_touches_what_is_held_out(which, seed):
    data, pattern = TASKS[which]
    task = ClassificationTask(data, pattern)
    full, pilot = task.split(seed), task.split(seed, validation=True)
    assert sorted([*full.seen, *full.held_out]) == list(range(75))
    assert sorted([*pilot.seen, *pilot.held_out]) == full.seen.tolist()
    if which == "own test part":
        assert full.held_out.tolist() == list(range(55, 75))
    share = {"vectors": 0.3, "random": 0.4, "images": 0.3, "mixed in": 0.2}.get(which)
    for label in range(3):
        every, seen = (data.labels == label).sum(), (data.labels[full.seen] == label).sum()
        if share:
            assert seen == every - round(share * every)
        kept = (data.labels[pilot.held_out] == label).sum()
        assert kept == max(1, round(seen / 5))
    assert task.seen_values() == full.targets.numel()


@every_task
@pytest.mark.parametrize("validation", [False, True])
def test_inputs_are_what_may_be_seen_standardised_by_itself(task, validation):
    split, full = task.split(1, validation=validation), task.split(1)
    rows = task.data.inputs.reshape(75, -1).astype(np.float64)
    seen = rows[full.seen]
    axis = None if task.data is IMAGES else 0
    expected = (rows[split.seen] - seen.mean(axis)) / seen.std(axis)
    assert split.inputs.dtype == split.targets.dtype == torch.float32
    np.testing.assert_allclose(split.inputs.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert split.targets.argmax(dim=1).tolist() == task.data.labels[split.seen].tolist()
    assert (split.targets.sum(dim=1) == 1).all()
    assert split.targets.shape == (len(split.seen), 3)


@pytest.mark.parametrize("given", TASKS.values(), ids=TASKS)
def test_what_is_held_out_has_no_part_in_the_inputs(given):
    data, pattern = given
    split = ClassificationTask(data, pattern).split(0)
    inputs = data.inputs.copy()
    inputs[split.held_out] = 255
    other = ClassificationTask(Labelled("x", inputs, data.labels, test=data.test), pattern).split(0)
    assert torch.equal(split.inputs, other.inputs)


def test_the_test_part_is_fixed_and_validation_is_drawn_from_the_rest():
    """Train, validation, test: no seed and no pilot touches the data's own test part."""
    task = ClassificationTask(WITH_TEST)
    own = list(range(55, 75))
    kept = []
    for seed in range(5):
        run, pilot = task.split(seed), task.split(seed, validation=True)
        assert run.held_out.tolist() == own and run.seen.tolist() == list(range(55))
        assert not {*pilot.seen, *pilot.held_out} & set(own)
        assert sorted([*pilot.seen, *pilot.held_out]) == list(range(55))
        assert torch.equal(pilot.inputs, run.inputs[pilot.seen]), "in the same units"
        kept.append(tuple(pilot.held_out))
    assert len(set(kept)) == 5, "each seed draws validation samples of its own"
    assert kept[3] == tuple(task.split(3, validation=True).held_out)


def test_what_is_watched_is_a_fixed_choice_of_each_part(monkeypatch):
    monkeypatch.setattr(_classification_split, "WATCHED", 30)
    labels = np.tile(np.repeat([0, 1, 2], [1, 2, 3]), 30)
    data = Labelled("many", RANDOM.normal(size=(180, 4)), labels, test=60)
    split, model = ClassificationTask(data).split(0), network()
    watched = {part: split._watched[part] for part in ("held_out", "seen")}
    for part, whole in (("held_out", split.held_out), ("seen", split.seen)):
        inputs, right = watched[part]
        assert len(inputs) == 30 and torch.bincount(right).tolist() == [5, 10, 15]
        assert {tuple(row) for row in inputs.tolist()} <= {
            tuple(row) for row in split._both[part][0].tolist()
        }
        again = ClassificationTask(data).split(7)._watched[part]
        assert torch.equal(again[0], inputs), "the same for every seed"
        assert len(whole) > 30
    quick = split.score(model, final=False).metrics
    with torch.no_grad():
        for part, (inputs, right) in watched.items():
            accuracy, nll, _ = slow_metrics(model(inputs), right.tolist())
            assert quick[f"accuracy_{part}"] == pytest.approx(accuracy)
            assert quick[f"nll_{part}"] == pytest.approx(nll)
    assert quick["gap_nll"] == quick["nll_held_out"] - quick["nll_seen"]
    assert quick != split.score(model).metrics


def test_the_gap_is_what_a_memoriser_has():
    split = ClassificationTask(VECTORS).split(0)
    known = {tuple(row): int(label) for row, label in zip(split.inputs.tolist(),
             split.targets.argmax(1), strict=True)}  # fmt: skip

    class Memory(nn.Module):
        def forward(self, inputs):
            right = torch.tensor([known.get(tuple(row), 0) for row in inputs.tolist()])
            return 5.0 * nn.functional.one_hot(right, 3)

    metrics = split.score(Memory()).metrics
    assert metrics["accuracy_seen"] == 100
    assert metrics["gap_accuracy"] == 100 - metrics["accuracy_held_out"] > 50
    assert metrics["gap_nll"] == pytest.approx(metrics["nll_held_out"] - metrics["nll_seen"])
    gaps = {m.name: (m.unit, m.higher_is_better) for m in ClassificationTask(VECTORS).metrics}
    assert gaps["gap_accuracy"] == ("points", False) and gaps["gap_nll"] == ("nats", False)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_have_any_number_of_channels(channels):
    inputs = RANDOM.integers(0, 256, (75, 4, 3, channels), dtype=np.uint8)
    task = ClassificationTask(Labelled("colours", inputs, LABELS, test=20))
    assert task.shape == (4, 3, channels) and task.inputs == 12 * channels
    rows = inputs.reshape(75, -1).astype(np.float64)
    expected = (rows - rows[:55].mean()) / rows[:55].std()
    np.testing.assert_allclose(task.split(0).inputs, expected[:55], rtol=1e-5, atol=1e-6)
    assert len(task.split(0).score(network(task.inputs)).metrics) == len(task.metrics)


def slow_metrics(logits, labels):
    hits, nll, rows = 0, 0.0, []
    for row, label in zip(logits.double().tolist(), labels, strict=True):
        top = max(row)
        total = sum(math.exp(value - top) for value in row)
        rows.append([math.exp(value - top) / total for value in row])
        hits += row.index(top) == label
        nll -= row[label] - top - math.log(total)
    return hits / len(rows) * 100, nll / len(rows), 100 * calibration_error(rows, labels)


@every_task
def test_scores_against_a_loop(task):
    split, model = task.split(0), network(task.inputs)
    expected = {}
    _, everything = task._standardised(0)
    for part, samples in (("held_out", split.held_out), ("seen", split.seen)):
        with torch.no_grad():
            logits = model(everything[torch.from_numpy(samples)])
        names = [f"{name}_{part}" for name in ("accuracy", "nll", "ece")]
        expected |= dict(
            zip(names, slow_metrics(logits, task.data.labels[samples].tolist()), strict=True)
        )
    expected["gap_accuracy"] = expected["accuracy_seen"] - expected["accuracy_held_out"]
    expected["gap_nll"] = expected["nll_held_out"] - expected["nll_seen"]
    score = split.score(model)
    assert score.metrics == pytest.approx(expected, rel=1e-6)
    assert set(score.metrics) == {metric.name for metric in task.metrics}
    assert score.bands == ()
    watched = {metric.name for metric in task.metrics if metric.watched}
    assert len(watched) == 6 and not any("ece" in name for name in watched)
    quick = split.score(model, final=False).metrics
    assert quick == {name: score.metrics[name] for name in watched}


def test_the_constant_answer_is_the_classes_shares_in_training():
    split = ClassificationTask(WITH_TEST).split(0)
    shares = np.bincount(LABELS[:55]) / 55
    held_out = np.bincount(LABELS[55:], minlength=3) / 20
    metrics = split.constant_score().metrics
    assert metrics["accuracy_held_out"] == pytest.approx(100 * held_out[2])
    assert metrics["nll_held_out"] == pytest.approx(-(held_out * np.log(shares)).sum())
    assert metrics["nll_seen"] == pytest.approx(-(shares * np.log(shares)).sum())
    assert metrics["ece_seen"] == pytest.approx(0, abs=1e-9)
    assert metrics["ece_held_out"] == pytest.approx(100 * abs(held_out[2] - shares[2]))
    best = split.score(Constant(*np.log(shares).tolist())).metrics
    assert best == pytest.approx(metrics, rel=1e-5, abs=1e-4)


class Broken(nn.Module):
    """Answers well, except with one value that is not finite at the inputs' largest."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, inputs):
        answers = torch.zeros(len(inputs), 3)
        answers[inputs.abs().sum(dim=1).argmax(), 1] = self.value
        return answers


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_not_finite_scores_as_the_constant(value):
    task = ClassificationTask(VECTORS)
    split = task.split(0)
    constant = split.constant_score().metrics
    behind = task.answering(Broken(value), task.divergence("l2", "identity"))
    for model in (Broken(value), behind):
        assert split.score(model).metrics == constant
        quick = split.score(model, final=False).metrics
        assert quick == {name: constant[name] for name in quick}
        assert set(quick) == {metric.name for metric in task.metrics if metric.watched}


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_huge_logits_have_finite_scores(scale):
    metrics = ClassificationTask(VECTORS).split(0).score(Constant(scale, 0.0, -scale)).metrics
    assert all(map(math.isfinite, metrics.values()))


def test_every_divergence_of_classes_trains_and_scores():
    task = ClassificationTask(VECTORS)
    split = task.split(0)
    assert (task.divergence().name, task.divergence().link) == ("kl", "softmax")
    cases = [(name, "softmax") for name in DIVERGENCES if not name.startswith("binary")]
    cases += [(name, "identity") for name in ("l2", "l1", "huber")]
    for name, link in cases:
        divergence = task.divergence(name, link)
        assert (divergence.name, divergence.link) == (name, link)
        if link == "softmax":
            assert task.divergence(name).link == "softmax"
        model = network()
        before = divergence(model(split.inputs), split.targets)
        before.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.01 * parameter.grad
        assert divergence(model(split.inputs), split.targets) < before
        assert len(split.score(task.answering(model, divergence)).metrics) == 8
    assert task.divergence("huber", delta=0.5).delta == 0.5


def test_without_a_link_answers_are_shares():
    task = ClassificationTask(VECTORS)
    model = Constant(0.5, 0.3, -0.2)
    answering = task.answering(model, task.divergence("l2", "identity"))
    shares = np.array([0.5, 0.3, 1e-6]) / 0.800001
    np.testing.assert_allclose(answering(torch.zeros(1, 4)).exp().numpy()[0], shares, rtol=1e-5)
    assert task.answering(model, task.divergence("l2")) is model
    perfect = Constant(1.0, 0.0, 0.0)
    metrics = (
        task.split(0).score(task.answering(perfect, task.divergence("l1", "identity"))).metrics
    )
    assert metrics["accuracy_held_out"] == pytest.approx(100 * 3 / 23)
    assert metrics["nll_held_out"] == pytest.approx(20 / 23 * -math.log(1e-6), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "link", "message"),
    [
        ("binary_kl", None, "divergence='binary_kl' is between single probabilities.*known"),
        ("cros_entropy", None, "is unknown; .*did you mean 'cross_entropy'"),
        ("kl", "identity", "link='identity' with divergence='kl': classes have the link softmax"),
        ("l2", "sigmoid", "link='sigmoid' with divergence='l2'"),
    ],
)
def test_a_divergence_that_does_not_fit(name, link, message):
    with pytest.raises(PenchantError, match=message):
        ClassificationTask(VECTORS).divergence(name, link)


def test_a_network_that_answers_something_else():
    split = ClassificationTask(VECTORS).split(0)
    with pytest.raises(
        PenchantError, match=r"23 samples with shape \(23, 2\); \(23, 3\) is needed"
    ):
        split.score(Constant(1.0, 2.0))


@pytest.mark.parametrize(
    "pattern", ["none", "checkerboard", "every:4", "random", "random:0", "random:1", "random:x", ""]
)
def test_a_pattern_that_does_not_fit(pattern):
    with pytest.raises(PenchantError, match=f"^held-out '{pattern}' of labelled data: 'test' "):
        ClassificationTask(VECTORS, pattern)


def test_a_pattern_that_leaves_too_little_is_refused_at_once():
    with pytest.raises(PenchantError, match=r"'random:0.9' of 'vectors': 1 samples of class '0'"):
        ClassificationTask(VECTORS, "random:0.9")


def test_fingerprints_differ_wherever_scores_do():
    more = Labelled("more", VECTORS.inputs, LABELS % 2)
    given = [
        *TASKS.values(),
        (Labelled("moved", VECTORS.inputs + 1, LABELS), "test"),
        (Labelled("other labels", VECTORS.inputs, LABELS[::-1].copy()), "test"),
        (Labelled("test 19", VECTORS.inputs, LABELS, test=19), "test"),
        (Labelled("shaped", VECTORS.inputs.reshape(75, 2, 2), LABELS), "test"),
        (more, "test"),
    ]
    tasks = [ClassificationTask(*one) for one in given]
    assert len({task.fingerprint for task in tasks}) == len(tasks)
    renamed = Labelled("other", VECTORS.inputs, LABELS, tuple("abc"), notices=("said",))
    task = ClassificationTask(renamed, " random:.40")
    assert task.fingerprint == tasks[1].fingerprint
    assert task.notices[0] == "said" and task.held_out == "random:0.4"


def test_a_task_is_immutable_and_pickles_small():
    task = ClassificationTask(IMAGES)
    task.split(0)
    for name in ("name", "held_out", "other"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(task, name, "new")
    written = pickle.dumps(task)
    assert len(written) < IMAGES.inputs.nbytes + IMAGES.labels.nbytes + 1000
    copy = pickle.loads(written)
    assert (copy.fingerprint, copy.metrics, copy.notices) == (
        (task.fingerprint, task.metrics, task.notices)
    )
    assert (copy.inputs, copy.outputs, copy.shape) == (6, 3, (3, 2, 1))


def test_splits_share_what_is_the_same_for_all_seeds():
    task = ClassificationTask(WITH_TEST)
    assert task.split(0).inputs.data_ptr() == task.split(7).inputs.data_ptr()
    drawn = ClassificationTask(VECTORS)
    first = drawn.split(0).inputs.clone()
    drawn.split(1)
    assert torch.equal(drawn.split(0).inputs, first)


def test_notices_say_what_is_done():
    constant = VECTORS.inputs.copy()
    constant[:, 2] = 7
    task = ClassificationTask(Labelled("constant", constant, LABELS, test=20), "random:0.25")
    assert task.notices == (
        "25 % of each class is held out, drawn anew for each seed; its own test part is mixed in "
        "with the rest",
        "inputs are standardised feature by feature over the seen samples; constant ones (1 of 4) "
        "are 0",
    )
    assert (task.split(0).inputs[:, 2] == 0).all()
    assert ClassificationTask(WITH_TEST).notices[0] == (
        "held out is the data's own test part, its last 20 samples"
    )
    assert ClassificationTask(IMAGES).notices[1] == (
        "inputs are standardised with one mean and deviation over all seen pixels"
    )


class Linear(nn.Module):
    """Scikit-learn's logistic regression as a network."""

    def __init__(self, model):
        super().__init__()
        self.weight = torch.from_numpy(model.coef_.T.astype(np.float32))
        self.offset = torch.from_numpy(model.intercept_.astype(np.float32))

    def forward(self, inputs):
        return inputs @ self.weight + self.offset


@pytest.mark.parametrize(("name", "accuracy"), [("digits", 95), ("breast-cancer", 95)])
def test_logistic_regression_finds_what_is_there(name, accuracy):
    from sklearn.linear_model import LogisticRegression

    split = ClassificationTask(load_labelled(name)).split(0)
    labels = split.targets.argmax(dim=1).numpy()
    model = LogisticRegression(C=0.1, max_iter=1000).fit(split.inputs.numpy(), labels)
    if len(model.coef_) == 1:  # two classes: the other's logit is 0
        model.coef_ = np.concatenate([0 * model.coef_, model.coef_])
        model.intercept_ = np.array([0, model.intercept_[0]])
    metrics = split.score(Linear(model)).metrics
    assert metrics["accuracy_held_out"] > accuracy
    assert metrics["nll_held_out"] < 0.3
    assert metrics["nll_held_out"] < split.constant_score().metrics["nll_held_out"]


def test_labels_drawn_at_random_cannot_be_told_apart():
    draws = generator(0, "labels")
    labels = torch.randint(2, (400,), generator=draws).numpy()
    inputs = torch.randn(400, 3, generator=draws).numpy()
    split = ClassificationTask(Labelled("noise", inputs, labels)).split(0)
    constant = split.constant_score().metrics
    assert constant["nll_seen"] == pytest.approx(math.log(2), abs=0.01)
    assert split.score(Constant(0.0, 0.0)).metrics["nll_held_out"] == pytest.approx(math.log(2))
