"""What a study is about, as a user names it: names, paths, arrays, and what does not mix."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penchant.errors import PenchantError
from penchant.study import Study
from penchant.study._folder import _places
from penchant.study._plan import usual_words
from penchant.study._plan_file import read_toml
from penchant.study._signals import signal_places
from penchant.tasks import (
    ClassificationTask,
    Labelled,
    Picture,
    PictureTask,
    TeacherTask,
    load_labelled,
)

Waves = Callable[..., Picture]

SHORT: dict = {"seeds": 1, "steps": 3, "tune": 0, "designs": [{"width": 4}]}


def blobs(name: str = "blobs", samples: int = 60) -> Labelled:
    """Three classes around three points of the plane."""
    labels = np.arange(samples) % 3
    noise = np.random.default_rng(0).normal(size=(samples, 2)) / 3
    return Labelled(name, np.array([[0, 1], [1, -1], [-1, -1]])[labels] + noise, labels)


def draw(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(shade).integers(0, 20, (8, 8))
    Image.fromarray((shade + noise).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def class_folder(here: Path) -> Path:
    """A folder of two classes that is called like a data set."""
    for index in range(5):
        draw(here / "digits" / "dark" / f"{index}.png", 10 + index)
        draw(here / "digits" / "light" / f"{index}.png", 200 + index)
    return here / "digits"


# Words that follow from the kind of signal


def test_usual_words_follow_from_the_signals(waves: Waves, class_folder: Path) -> None:
    for data in ("digits", "data.npz", blobs(), ClassificationTask(blobs()), "./digits",
                 class_folder):  # fmt: skip
        assert usual_words([data])["family"] == "dense", data
    for other in ("photo.png", "built-in", waves(), waves().values, PictureTask(waves())):
        assert usual_words([other]) == {}


def test_given_words_stand(here: Path) -> None:
    words: dict = {"steps": 7, "batch": 2048, "held_out": "random:0.5", "family": "coordinate"}
    study = Study(blobs(), designs=[{"encoding": "nerf"}], **words)
    plan = study.plan
    assert (plan.steps, plan.batch, plan.held_out) == (7, 2048, "random:0.5")
    assert next(iter(study.designs[0].values())).family == "coordinate"


def test_data_sets_may_be_compared_over(here: Path) -> None:
    study = Study([blobs("a"), blobs("b", 90)], **SHORT)
    assert [task.name for task in study.tasks] == ["a", "b"]
    assert {run.signal for run in study.run().runs} == {"a", "b"}


@pytest.mark.parametrize("turned", [False, True])
def test_pictures_and_data_do_not_mix(turned: bool, waves: Waves, photo: Path) -> None:
    pictures: dict = {"built-in": "built-in", "waves.png": photo, "waves": waves()}
    pictures |= {"an array": waves().values, "waves ": PictureTask(waves())}
    for called, picture in pictures.items():
        for data, name in (("digits", "digits"), (blobs(), "blobs")):
            signals = [picture, data] if turned else [data, picture]
            with pytest.raises(PenchantError) as caught:
                Study(signals)
            message = str(caught.value)
            assert "is labelled data and" in message and "\n" not in message
            assert name in message and called in message


def test_noise_is_for_pictures(waves: Waves) -> None:
    for signal in ("digits", blobs(), ClassificationTask(blobs())):
        with pytest.raises(PenchantError, match=r"noise=0.1: .* only pictures take it"):
            Study(signal, noise=0.1)
    with pytest.raises(PenchantError, match="made already"):
        Study(PictureTask(waves()), noise=0.1)
    for noise in (-0.1, 1.1, "nan", "loud"):
        with pytest.raises(PenchantError, match="noise="):
            Study(waves(), noise=noise)


# Names and folders of the same name


def test_a_name_is_a_name_and_a_path_a_path(class_folder: Path) -> None:
    assert signal_places("digits") == ["digits"]
    assert signal_places("./digits") == ["./digits"]
    named, folder = Study("digits", **SHORT), Study("./digits", size=8, **SHORT)
    assert [task.outputs for task in (*named.tasks, *folder.tasks)] == [10, 2]
    assert named.paths == ["digits"] and folder.paths == ["./digits"]
    assert Study(Path("digits"), size=8, **SHORT).paths == ["./digits"], "a Path is a path"


@pytest.mark.parametrize("out", [".", "out", "deep/er"])
def test_a_folder_called_like_a_data_set_stays_a_folder(class_folder: Path, out: str) -> None:
    first = Study("./digits", size=8, out=out, **SHORT).run()
    plan, signals = read_toml(Path(out, "study.toml"))
    assert plan.family == "dense" and load_labelled(signals[0], 8).classes == ("dark", "light")
    again = Study.read(Path(out, "study.toml"))
    assert again.remaining() == 0 and repr(again.results()) == repr(first)


def test_pictures_in_a_folder_called_like_a_data_set(here: Path) -> None:
    draw(here / "digits" / "one.png", 100)
    study = Study("./digits", held_out="none", out="out", **SHORT)
    assert [type(task) for task in study.tasks] == [PictureTask]
    study.run()
    assert Study.read("out/study.toml").remaining() == 0
    assert _places(["./digits"]) == [str(here / "digits" / "one.png")]
    assert _places(["digits"]) == ["digits"]


def test_a_file_called_like_a_data_set(here: Path) -> None:
    draw(here / "one.png", 100).rename(here / "digits")
    (task,) = Study("./digits", held_out="none", **SHORT).tasks
    assert isinstance(task, PictureTask)


# Names with options


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("out", [".", "deep/er"])
def test_options_go_with_a_name(here: Path, named: bool, out: str) -> None:
    place = "digits" if named else "mine.npz"
    if not named:
        digits = load_labelled("digits")
        np.savez(here / place, inputs=digits.inputs, labels=digits.labels)
    signals = [f"{place}:samples=200,classes=3", f"{place}:classes=4,samples=200"]
    first = Study(signals, out=out, **SHORT).run()
    stem = place.removesuffix(".npz")
    assert first.plan["signals"] == [f"{stem}:classes={k},samples=200" for k in (3, 4)]
    text = Path(out, "study.toml").read_text()
    assert str(here) not in text and ":samples=200,classes=3" in text
    plan, places = read_toml(Path(out, "study.toml"))
    assert plan.family == "dense"
    assert load_labelled(places[1]).classes == ("0", "1", "2", "3")
    again = Study.read(Path(out, "study.toml"))
    assert again.remaining() == 0 and repr(again.results()) == repr(first)


def test_a_folder_called_like_a_data_set_keeps_its_options(class_folder: Path) -> None:
    study = Study("./digits:size=4", out="out", **SHORT)
    study.run()
    assert study.tasks[0].name == "digits:size=4" and study.tasks[0].shape == (4, 4, 1)
    assert '"../digits:size=4"' in Path("out/study.toml").read_text()
    assert Study.read("out/study.toml").remaining() == 0


def test_one_data_set_in_two_spellings_is_one(here: Path) -> None:
    with pytest.raises(PenchantError, match="two signals are called 'digits:classes=3,size=4'"):
        Study(["digits:classes=3,size=4", "digits:size=4,classes=3"], **SHORT)


# Augmentation


def test_augmentation_reaches_training_and_the_file(here: Path) -> None:
    words: dict = {"out": "out", **SHORT, "steps": 20, "designs": [{"width": 8}]}
    plain, augmented = (
        Study("digits:samples=300", **{**words, "out": out}, augment=text).run()
        for out, text in (("plain", ""), ("out", "shift:1,flip"))
    )
    assert plain.runs[0].id != augmented.runs[0].id
    assert plain.runs[0].metrics["nll_seen"] != augmented.runs[0].metrics["nll_seen"]
    assert plain.runs[0].curve[0].metrics == augmented.runs[0].curve[0].metrics, "scored alike"
    assert any("augmented" in notice for notice in augmented.plan["notices"])
    assert 'augment = "shift:1,flip"' in Path("out/study.toml").read_text()
    assert Study.read("out/study.toml").remaining() == 0


def test_augmentation_is_for_labelled_pictures(waves: Waves) -> None:
    cases = {"built-in": "a picture", "breast-cancer": "no pictures"}
    for signal, said in cases.items():
        with pytest.raises(PenchantError, match=rf"^augment='flip': .*{said}"):
            Study(signal, size=16, augment="flip")
    for made in (waves(), waves().values, PictureTask(waves()), ClassificationTask(blobs())):
        with pytest.raises(PenchantError, match=r"^augment='flip': .* only labelled pictures"):
            Study(made, augment="flip")


# Functions to learn


def test_a_function_is_named_like_data(here: Path) -> None:
    source = "teacher:inputs=3,samples=50,test=20"
    assert usual_words([source])["family"] == "dense" and signal_places(source) == [source]
    first = Study(source, out="out", **SHORT).run()
    assert first.metric == "r2_held_out"
    assert f'"{source}"' in Path("out/study.toml").read_text()
    assert Study.read("out/study.toml").remaining() == 0
    with pytest.raises(PenchantError, match="not scored alike"):
        Study([source, "digits"], **SHORT)


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        ("held_out", "random:0.2", "its option test"),
        ("held_out", "random:0.5", "its option test"),
        ("size", 64, "for pictures"),
        ("noise", 0.2, "teacher:noise=0.1"),
        ("augment", "flip", "for labelled pictures"),
    ],
)
def test_words_that_mean_nothing_to_a_function(word: str, value: object, said: str) -> None:
    for signal in ("teacher:inputs=3", TeacherTask(inputs=3)):
        with pytest.raises(PenchantError) as caught:
            Study(signal, **{word: value}, **SHORT)
        message = str(caught.value)
        assert message.startswith(f"{word}={value!r}: teacher:inputs=3 is a function")
        assert said in message and "\n" not in message
    usual = {"held_out": "test", "size": 32, "noise": 0, "augment": ""}
    assert Study("teacher:inputs=3", **{word: usual[word]}, **SHORT).tasks[0].inputs == 3


# Files of labelled data


@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_the_file_moves_with_its_data(
    here: Path, class_folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "npz":
        data = blobs()
        np.savez(here / "blobs.npz", inputs=data.inputs, labels=data.labels)
    signal = "blobs.npz" if kind == "npz" else "digits/../digits"
    first = Study(signal, size=8, out="out/deep", **SHORT).run()
    text = Path("out/deep/study.toml").read_text()
    assert str(here) not in text and 'family = "dense"' in text
    moved = here.parent / f"{here.name}-moved"
    monkeypatch.chdir("/")
    here.rename(moved)
    try:
        again = Study.read(moved / "out" / "deep" / "study.toml")
        assert again.remaining() == 0
        assert again.results().verdicts == first.verdicts
    finally:
        moved.rename(here)


def test_absolute_paths_in_a_file_written_by_hand(here: Path, photo: Path) -> None:
    Path("study.toml").write_text(f'signals = ["{photo}"]\nsize = 16\n')
    assert read_toml(Path("study.toml"))[1] == [str(photo)]
    assert Study.read("study.toml").tasks[0].name == "waves"


def test_a_file_by_hand_means_what_the_command_means(here: Path) -> None:
    """Words that are not given follow from the signals, whoever writes the file."""
    Path("out").mkdir()
    Path("out/study.toml").write_text(
        'signals = ["digits"]\nseeds = 1\nsteps = 3\ntune = 0\n'
        'baseline = "relu start_bias=10"\n[vary]\nstart_bias = [0, 10]\nwidth = [4]\n'
    )
    study = Study.read("out/study.toml")
    same = Study("digits", seeds=1, steps=3, tune=0, baseline="relu start_bias=10",
                 vary={"start_bias": [0, 10], "width": [4]})  # fmt: skip
    assert study.plan.fingerprint() == same.plan.fingerprint()
    study.run()
    assert Study.read("out/study.toml").remaining() == 0, "the file plans this very study"


# The same words again


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"batch": 2048, "steps": 300, "size": 128},  # what pictures have unasked
        {"batch": 128, "steps": 500, "size": 32, "held_out": "test"},
        {"family": "coordinate", "held_out": "random:0.5"},
        {"target": 90, "metric": "nll_held_out", "margin": 0.25, "match": "parameters"},
        {"designs": [{"divergence": "l2", "link": "identity", "start_bias": 10}, {}]},
        {"vary": {"divergence": ["kl", "cross_entropy"], "optimizer": ["sgd"]}},
        {"vary": {"divergence": [None, "huber"]}, "baseline": "relu+huber"},
    ],
)
def test_plan_on_labelled_data_is_read_as_it_was(tmp_path: Path, words: dict) -> None:
    from penchant.study._plan_file import write_toml

    plan = Study("digits", **words).plan
    path = tmp_path / "study.toml"
    path.write_bytes(write_toml(plan, ["digits"], tmp_path))
    there, signals = read_toml(path)
    assert there.fingerprint() == plan.fingerprint() and signals == ["digits"]
    assert list(there.labelled()) == list(plan.labelled())
    again = Study.read(path)
    assert (
        again.plan.fingerprint() == plan.fingerprint()
        and again.designs == Study("digits", **words).designs
    )


@pytest.mark.parametrize("words", [{"batch": 128, "steps": 500, "size": 32}, {"noise": 0.1},
                                   {"family": "dense"}, {"target": 20.0}])  # fmt: skip
def test_plan_on_a_picture_is_read_as_it_was(tmp_path: Path, words: dict) -> None:
    Study("built-in", out=tmp_path, **({"size": 16} | SHORT | {"steps": 2} | words)).run()
    assert Study.read(tmp_path / "study.toml").remaining() == 0


def test_a_misfit_makes_no_file(here: Path, waves: Waves) -> None:
    cases: list[tuple[object, dict, str]] = [
        ("digits", {"divergence": "binary_kl"}, "binary_kl"),
        ("digits", {"divergence": "kl", "link": "identity"}, "identity"),
        ("digits", {"divergence": "l2", "link": "sigmoid"}, "sigmoid"),
        (waves(), {"divergence": "kl", "link": "identity"}, "identity"),
        (waves(), {"divergence": "cross_entropy", "link": "softmax"}, "softmax"),
        (waves(), {"divergence": "binary_kl"}, "binary_kl"),
    ]
    for signal, fields, word in cases:
        with pytest.raises(PenchantError) as caught:
            Study(signal, designs=[{}, fields], out="out").run()
        assert word in str(caught.value) and "\n" not in str(caught.value)
    assert list(here.iterdir()) == []
