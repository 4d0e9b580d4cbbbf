"""Folders of recordings as labelled data, and the spoken digits themselves."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from penchant.errors import PenchantError
from penchant.tasks import (
    ClassificationTask,
    Labelled,
    LogMel,
    is_labelled,
    is_sound,
    load_labelled,
    load_recording,
    placed,
)


def write(path: Path, hertz: float, seconds: float = 0.3) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    time = np.arange(round(8000 * seconds)) / 8000
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * hertz * time), 8000)


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Two words, three speakers, takes 3 to 8."""
    for word, hertz in (("low", 300), ("very_high", 2000)):
        for place, speaker in enumerate(("ann", "bob", "cy")):
            for take in range(3, 9):
                path = tmp_path / "words" / f"{word}_{speaker}_{take}.wav"
                write(path, hertz + 20 * place + take)
    return tmp_path / "words"


def test_names_tell_class_speaker_and_take(named: Path) -> None:
    data = load_labelled(named)
    assert is_labelled(named) and is_sound(named) and is_sound(data)
    assert (data.name, data.classes, data.sound) == ("words", ("low", "very_high"), True)
    assert data.inputs.shape == (36, 32, 98) and data.test == 2 * 3 * 2
    assert set(data.groups["speakers"]) == {"ann", "bob", "cy"}
    assert set(data.groups["takes"][-12:]) == {3, 4} and min(data.groups["takes"][:-12]) == 5
    high = data.inputs[data.labels == 1].mean(axis=(0, 2))
    low = data.inputs[data.labels == 0].mean(axis=(0, 2))
    assert high.argmax() > low.argmax()


def test_the_shifted_copy_is_the_recording_elsewhere(named: Path) -> None:
    data = load_labelled(named)
    mel, sound = LogMel(), load_recording(named / "low_ann_5.wav").samples
    index = int(np.flatnonzero((data.groups["takes"] == 5) & (data.labels == 0))[0])
    assert data.groups["speakers"][index] == "ann"
    np.testing.assert_allclose(
        data.inputs[index], mel(torch.from_numpy(placed(sound, 8000))), atol=1e-4
    )
    gaps = [
        abs(data.altered["shifted"][index] - mel(torch.from_numpy(placed(sound, 8000, by))).numpy())
        for by in range(-1600, 1601)
    ]
    assert min(gap.max() for gap in gaps) < 1e-3
    again = load_labelled(named)
    assert np.array_equal(data.altered["shifted"], again.altered["shifted"]), "keyed"


def test_subfolders_are_classes(tmp_path: Path) -> None:
    for word, hertz in (("no", 300), ("yes", 900)):
        for take in range(6):
            write(tmp_path / word / f"{take}.wav", hertz + take, seconds=1.5)
    data = load_labelled(tmp_path)
    assert (data.classes, data.test, dict(data.groups)) == (("no", "yes"), 0, {})
    assert "longer, so that the middle was kept: 12 of 12" in data.notices


@pytest.mark.parametrize("file", ["seven.wav", "7_jackson.wav", "7_jackson_x.wav"])
def test_names_that_do_not_fit_are_named(named: Path, file: str) -> None:
    write(named / file, 500)
    with pytest.raises(PenchantError, match=r"class_speaker_take\.wav") as caught:
        load_labelled(named)
    assert file in str(caught.value)


def test_a_broken_recording_is_named(named: Path) -> None:
    (named / "low_ann_9.wav").write_bytes(b"RIFF")
    with pytest.raises(PenchantError, match=r"low_ann_9\.wav"):
        load_labelled(named)


def test_without_the_data_the_error_says_where_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in (None, str(tmp_path)):
        if setting is None:
            monkeypatch.delenv("PENCHANT_DATA", raising=False)
        else:
            monkeypatch.setenv("PENCHANT_DATA", setting)
        with pytest.raises(PenchantError, match="fsdd/recordings in PENCHANT_DATA"):
            load_labelled("spoken-digits")


def test_pickled_it_is_the_same(named: Path) -> None:
    data = load_labelled(named)
    again = pickle.loads(pickle.dumps(data))
    assert again.groups.keys() == data.groups.keys() and again.sound
    assert np.array_equal(again.altered["shifted"], data.altered["shifted"])
    assert ClassificationTask(again).fingerprint == ClassificationTask(data).fingerprint


@pytest.mark.unchecked
def test_what_stands_beside_must_fit() -> None:
    inputs, labels = np.zeros((10, 2, 3)), np.repeat([0, 1], 5)
    with pytest.raises(PenchantError, match="one value a sample"):
        Labelled("a", inputs, labels, groups={"speakers": np.zeros(9)})
    with pytest.raises(PenchantError, match="the samples' own"):
        Labelled("a", inputs, labels, altered={"shifted": inputs[:, :1]})
    with pytest.raises(PenchantError, match="bands × frames"):
        Labelled("a", inputs[..., 0], labels, sound=True)


# The spoken digits


@pytest.fixture(scope="module")
def digits(penchant_data: Path) -> Labelled:
    folder = penchant_data / "fsdd" / "recordings"
    if not folder.is_dir():
        pytest.skip("no real data: PENCHANT_DATA holds no fsdd/recordings")
    return load_labelled(folder)


def test_the_spoken_digits_are_all_there(digits: Labelled) -> None:
    assert digits.inputs.shape == (3000, 32, 98) and digits.test == 300
    assert digits.classes == tuple("0123456789")
    assert np.bincount(digits.labels).tolist() == [300] * 10
    assert len(set(digits.groups["speakers"])) == 6


def test_takes_and_speakers_of_the_spoken_digits(digits: Labelled) -> None:
    task = ClassificationTask(digits, "takes")
    assert task.held_out == "test" and task.shape == (32, 98)
    assert set(digits.groups["takes"][task.split(0).held_out]) == set(range(5))
    task = ClassificationTask(digits, "speakers")
    speakers = [set(digits.groups["speakers"][task.split(seed).held_out]) for seed in range(6)]
    assert all(len(one) == 1 for one in speakers) and len(set.union(*speakers)) == 6
