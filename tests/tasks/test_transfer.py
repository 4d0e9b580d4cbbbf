"""A linear probe on a network's features: what it finds, and that it changes nothing."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks import ClassificationTask, Labelled, load_labelled
from penchant.tasks._transfer import FEATURES, INPUTS, LEARNT, Transfer, features


def rings(labels, scale=1.0):
    """Points whose class is how far out they lie: no line tells classes apart, the radius does."""
    angle = 6.28 * torch.rand(len(labels), generator=generator(0, "angle")).numpy()
    radius = scale * (1 + labels)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


class Radius(nn.Module):
    """A network whose one feature is a point's distance from the middle."""

    def __init__(self, outputs=2):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.head = nn.Linear(1, outputs)

    def forward(self, inputs):
        self.first(inputs)
        return self.head((inputs**2).sum(dim=1, keepdim=True).sqrt())


@pytest.fixture
def data():
    labels = np.tile([0, 1], 100)
    others = Labelled("others", rings(np.tile([0, 1, 2], 60)), np.tile([0, 1, 2], 60), test=60)
    return Labelled("rings", rings(labels), labels, test=50, others=others)


def test_what_the_features_hold_is_found(data):
    split = ClassificationTask(data).split(0)
    metrics = split.score(Radius()).metrics
    assert metrics[FEATURES] > 98
    linear = split.score(nn.Linear(2, 2)).metrics  # the features are the inputs: no line does it
    assert linear[FEATURES] < 60
    assert metrics[INPUTS] == linear[INPUTS] == linear[FEATURES]
    assert split.constant_score().metrics[FEATURES] == pytest.approx(100 / 3)


def test_against_scikit_learn_by_hand(data):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2))
    rows = data.inputs[:150].astype(np.float64)
    mean, deviation = rows.mean(0), rows.std(0)
    with torch.no_grad():
        inputs = torch.from_numpy((data.others.inputs - mean) / deviation).float()
        hidden = network[:2](inputs).double().numpy()
    scaler = StandardScaler().fit(hidden[:120])
    probe = LogisticRegression(max_iter=1000).fit(
        scaler.transform(hidden[:120]), data.others.labels[:120]
    )
    expected = 100 * probe.score(scaler.transform(hidden[120:]), data.others.labels[120:])
    got = ClassificationTask(data).split(0).score(network).metrics[FEATURES]
    assert got == pytest.approx(
        expected, abs=100 / 60
    )  # a sample on the border may fall either way


def test_it_is_scored_at_the_end_alone_and_the_same_every_time(data):
    task = ClassificationTask(data)
    (metric,) = (metric for metric in task.metrics if metric.name == FEATURES)
    assert (metric.unit, metric.margin, metric.watched) == ("%", 1.0, False)
    split, network = task.split(0), Radius()
    assert FEATURES not in split.score(network, final=False).metrics
    again = pickle.loads(pickle.dumps(task)).split(0)
    assert split.score(network) == split.score(network) == again.score(network)
    assert task.outputs == 2 and set(split.score(network).metrics) == {m.name for m in task.metrics}


def test_the_network_is_asked_in_evaluation_mode_and_left_as_it_was(data):
    network = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2)
    )
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    split = ClassificationTask(data).split(0)
    assert split.score(network) == split.score(network)
    assert [module.training for module in network] == [True, False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in network.modules())


class Behind(nn.Module):
    """Calls its layers in another order than they are written in."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)
        self.body = nn.Linear(2, 3)

    def forward(self, inputs):
        return self.head(self.body(inputs))


class Waves(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 3, dtype=torch.complex64)

    def forward(self, inputs):
        return self.head(torch.exp(1j * inputs)).real


def test_features_are_what_the_last_layer_that_is_called_is_given():
    network, inputs = Behind(), torch.randn(7, 2, generator=generator(0, "inputs"))
    with torch.no_grad():
        np.testing.assert_array_equal(features(network, inputs, block=3), network.body(inputs))
    tokens = nn.Sequential(nn.Unflatten(1, (2, 1)), nn.Linear(1, 4), nn.Linear(4, 2), nn.Flatten())
    assert features(tokens, inputs).shape == (7, 8)
    assert features(Waves(), inputs).shape == (7, 4)


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 2, 2)

    def forward(self, inputs):
        return self.layer(inputs[:, None])[..., 0]


class Unused(Convolution):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 2)


def test_a_network_without_a_linear_layer_is_one_line(data):
    split = ClassificationTask(data).split(0)
    for final in (True, False):  # at the first look, not after training
        with pytest.raises(
            PenchantError, match=r"^transfer: Convolution has no nn.Linear"
        ) as caught:
            split.score(Convolution(), final=final)
        assert "\n" not in str(caught.value)
    with pytest.raises(PenchantError, match=r"^transfer: Unused calls no nn.Linear"):
        split.score(Unused())


def test_features_that_are_not_finite_score_as_the_constant(data):
    class Huge(Radius):
        def forward(self, inputs):
            self.head(torch.full((len(inputs), 1), torch.inf))
            return torch.zeros(len(inputs), 2)

    split = ClassificationTask(data).split(0)
    assert split.score(Huge()).metrics[FEATURES] == pytest.approx(100 / 3)


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("held_out", ["test", "random:0.25"])
def test_the_others_are_divided_as_the_data_itself(data, held_out, validation):
    transfer = ClassificationTask(data, held_out).split(1, validation=validation)._transfer
    fifth = 0.2 if validation else 0.0
    held = {"test": 60, "random:0.25": 45}[held_out]
    assert len(transfer.right) == (round(fifth * (180 - held)) if validation else held)
    assert len(transfer.labels) == (180 - held) - (len(transfer.right) if validation else 0)
    assert not {tuple(row) for row in transfer.inputs.tolist()} & {
        tuple(row) for row in transfer.asked.tolist()
    }


def test_the_probe_learns_from_a_bounded_number_of_samples():
    labels = np.tile([0, 1], 2 * LEARNT)
    others = Labelled("others", rings(labels), labels, test=1000)
    data = Labelled("rings", rings(labels[:200]), labels[:200], test=50, others=others)
    transfer = ClassificationTask(data).split(0)._transfer
    assert len(transfer.labels) == LEARNT and len(transfer.right) == 1000
    assert np.bincount(transfer.labels).tolist() == [LEARNT // 2] * 2


def test_others_are_part_of_the_fingerprint(data):
    moved = Labelled("others", data.others.inputs + 1, data.others.labels, test=60)
    other = Labelled("rings", data.inputs, data.labels, test=50, others=moved)
    alone = Labelled("rings", data.inputs, data.labels, test=50)
    tasks = [ClassificationTask(one) for one in (data, other, alone)]
    assert len({task.fingerprint for task in tasks}) == 3
    assert FEATURES not in {metric.name for metric in tasks[2].metrics}


def test_others_must_fit(data):
    odd = Labelled("odd", np.ones((10, 3)) * np.arange(10)[:, None], np.repeat([0, 1], 5))
    with pytest.raises(PenchantError, match=r"others with samples of shape \(3,\).*own \(2,\)"):
        Labelled("rings", data.inputs, data.labels, others=odd)
    with pytest.raises(PenchantError, match=r"of 'others': . samples of class"):
        few = Labelled("others", data.others.inputs[:15], data.others.labels[:15])
        ClassificationTask(Labelled("rings", data.inputs, data.labels, others=few), "random:0.8")


def test_digits_learnt_on_five_classes_tell_the_other_five():
    split = ClassificationTask(load_labelled("digits:transfer=5,test=400")).split(0)
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
    assert split.score(network).metrics[FEATURES] > 85
    blind = nn.Sequential(nn.Linear(64, 1), nn.ReLU(), nn.Linear(1, 5))
    assert split.score(blind).metrics[FEATURES] < 70
    assert isinstance(split._transfer, Transfer)
