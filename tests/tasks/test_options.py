"""Options after a name: what each one makes of the data, and that none disturbs another."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from penchant.errors import PenchantError
from penchant.tasks import (
    ClassificationTask,
    Labelled,
    is_labelled,
    is_sound,
    load_labelled,
    source_and_options,
)
from penchant.tasks._options import Options, with_options

RANDOM = np.random.default_rng(0)
COUNTS = [40, 60, 25, 75, 50]  # of the training part


def made(shape=(6, 6, 1), test=50, **more):
    """Five classes of unequal size, shuffled; a picture's first pixel says which sample it is."""
    labels = np.concatenate(
        [RANDOM.permutation(np.repeat(range(5), COUNTS)), np.tile(range(5), test // 5)]
    )
    inputs = RANDOM.integers(1, 200, (len(labels), *shape), dtype=np.uint8)
    flat = inputs.reshape(len(labels), -1)
    flat[:, 0], flat[:, 1] = np.arange(len(labels)) // 256, np.arange(len(labels)) % 256
    return Labelled("made", inputs, labels, tuple("abcde"), test, **more)


DATA = made()
WITHOUT_TEST = made(test=0)


def asked(data=DATA, **options):
    return with_options(data, Options(**options))


def which(data, part=slice(None)):
    """Say which samples of the original these are."""
    flat = data.inputs.reshape(len(data.labels), -1)[part].astype(int)
    return (256 * flat[:, 0] + flat[:, 1]).tolist()


def seen(data):
    return which(data, slice(0, len(data.labels) - data.test))


def held(data):
    return which(data, slice(len(data.labels) - data.test, None))


# Which samples


def test_without_options_data_is_as_it_was():
    assert asked() is DATA
    whole = asked(classes=5, samples=250, test=50)
    assert whole.inputs.tobytes() == DATA.inputs.tobytes()
    assert whole.labels.tobytes() == DATA.labels.tobytes() and whole.test == 50


def test_the_first_classes():
    data = asked(classes=3)
    assert data.classes == ("a", "b", "c") and data.test == 30
    assert which(data) == np.flatnonzero(DATA.labels < 3).tolist()
    np.testing.assert_array_equal(data.labels, DATA.labels[DATA.labels < 3])


@settings(deadline=None, max_examples=40)
@given(few=st.integers(51, 250), more=st.integers(51, 250))
def test_fewer_samples_are_part_of_more_with_each_class_in_its_share(few, more):
    few, more = sorted((few, more))
    one, two = asked(samples=few), asked(samples=more)
    assert len(seen(one)) == few and set(seen(one)) <= set(seen(two))
    assert held(one) == held(DATA), "the test part stays"
    counts = np.bincount(one.labels[: -one.test])
    assert np.abs(counts - few * np.array(COUNTS) / 250).max() <= 2
    assert seen(one) == sorted(seen(one)), "in the data's order"


@settings(deadline=None, max_examples=40)
@given(
    samples=st.integers(51, 200),
    test=st.integers(5, 50),
    size=st.sampled_from([0, 6]),
    shift=st.integers(0, 2),
)
def test_the_same_samples_whatever_else_is_asked(samples, test, size, shift):
    data = asked(samples=samples, test=test, size=size, shift=shift)
    assert seen(data) == seen(asked(samples=samples))
    assert held(data) == held(asked(test=test))
    assert set(held(data)) <= set(held(asked(test=50)))


def test_of_fewer_classes_the_same_samples_come_first():
    whole = asked(samples=125)
    half = asked(classes=3, samples=int((whole.labels[: -whole.test] < 3).sum()))
    chosen = np.array(seen(whole))
    assert seen(half) == chosen[DATA.labels[chosen] < 3].tolist()


def test_data_without_a_test_part_gets_one():
    data = asked(WITHOUT_TEST, test=60)
    assert data.test == 60 and not set(seen(data)) & set(held(data))
    assert np.bincount(data.labels[-60:]).tolist() == [10, 14, 6, 18, 12]
    both = asked(WITHOUT_TEST, test=60, samples=100)
    assert held(both) == held(data)
    assert seen(both) == seen(asked(WITHOUT_TEST, samples=100)), "a test part takes none of these"
    task = ClassificationTask(data)
    assert [task.split(seed).held_out.tolist() for seed in (0, 1)] == [list(range(190, 250))] * 2


def test_groups_and_other_forms_go_with_their_samples():
    groups = {"who": np.arange(300) % 7}
    altered = {"inverted": 255 - DATA.inputs}
    data = asked(made(groups=groups, altered=altered), classes=2, samples=60, test=10)
    chosen = np.array(which(data))
    assert data.groups["who"].tolist() == (chosen % 7).tolist()
    np.testing.assert_array_equal(data.altered["inverted"], 255 - DATA.inputs[chosen])


# Size


def slow(picture, size):
    """Average by painting each pixel as size × size smaller ones."""
    side, _, channels = picture.shape
    fine = picture.astype(np.float64).repeat(size, axis=0).repeat(size, axis=1)
    return fine.reshape(size, side, size, side, channels).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_are_averaged_by_area(size, channels):
    data = made((6, 6, channels))
    small = asked(data, size=size)
    assert small.inputs.shape == (300, size, size, channels) and small.inputs.dtype == np.float32
    for picture, before in zip(small.inputs[::37], data.inputs[::37], strict=True):
        np.testing.assert_allclose(picture, slow(before, size), rtol=1e-6)


def test_pictures_without_an_axis_for_channels():
    flat = asked(made((6, 6)), size=3, shift=1)
    np.testing.assert_array_equal(asked(made((6, 6)), size=2).inputs.shape, (300, 2, 2))
    assert flat.altered["shifted"].shape == (300, 3, 3)


def test_pictures_of_the_size_asked_for_stay_bytes():
    assert asked(size=6).inputs.dtype == np.uint8
    assert not any("averaged" in notice for notice in asked(size=6).notices)


def test_blocks_do_not_matter(monkeypatch):
    whole = asked(size=4, shift=1)
    monkeypatch.setattr("penchant.tasks._options._BLOCK", 7)
    parts = asked(size=4, shift=1)
    np.testing.assert_array_equal(parts.inputs, whole.inputs)
    np.testing.assert_array_equal(parts.altered["shifted"], whole.altered["shifted"])


# Shift


def offset_of(picture, moved, reach, fill):
    height, width = picture.shape[:2]
    frame = np.full((height + 2 * reach, width + 2 * reach, *picture.shape[2:]), fill)
    frame[reach : reach + height, reach : reach + width] = picture
    found = [
        (reach - top, reach - left)
        for top in range(2 * reach + 1)
        for left in range(2 * reach + 1)
        if np.array_equal(frame[top : top + height, left : left + width], moved)
    ]
    assert len(found) == 1, found
    return found[0]


def framed(value=9):
    data = made((8, 8, 2))
    inputs = data.inputs.copy()
    for side in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        inputs[side] = value
    return Labelled("framed", inputs, data.labels, data.classes, 50)


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_every_picture_is_moved_by_an_offset_of_its_own_and_never_by_none(reach):
    data = asked(framed(), shift=reach)
    offsets = [
        offset_of(picture, moved, reach, 9)
        for picture, moved in zip(data.inputs, data.altered["shifted"], strict=True)
    ]
    assert (0, 0) not in offsets
    assert max(max(map(abs, offset)) for offset in offsets) == reach
    assert len(set(offsets)) > min(100, (2 * reach + 1) ** 2 - 1) * 0.6
    assert data.altered["shifted"].dtype == np.uint8


def test_an_offset_belongs_to_its_sample():
    data = framed()
    whole, part = asked(data, shift=2), asked(data, shift=2, samples=60, test=10, classes=3)
    place = {picture.tobytes(): moved for picture, moved
             in zip(whole.inputs, whole.altered["shifted"], strict=True)}  # fmt: skip
    for picture, moved in zip(part.inputs, part.altered["shifted"], strict=True):
        np.testing.assert_array_equal(place[picture.tobytes()], moved)


def test_shifted_pictures_are_asked_in_the_seen_ones_units():
    task = ClassificationTask(asked(framed(), shift=1))
    assert task.metrics[-1].name == "accuracy_shifted_held_out" and not task.metrics[-1].watched
    split = task.split(0)
    (values, labels) = split._altered["shifted_held_out"]
    raw = task.data.inputs[:250].astype(np.float64)
    expected = (task.data.altered["shifted"][250:] - raw.mean()) / raw.std()
    np.testing.assert_allclose(values.reshape(50, 8, 8, 2), expected, rtol=1e-5, atol=1e-6)
    assert labels.tolist() == task.data.labels[250:].tolist()


# Transfer


def test_the_first_classes_are_learnt_and_the_others_asked():
    data = asked(transfer=3, samples=60, test=10)
    assert (data.classes, data.others.classes) == (("a", "b", "c"), ("d", "e"))
    assert len(seen(data)) == 60 and data.test == 10
    assert seen(data.others) == np.flatnonzero(DATA.labels[:250] > 2).tolist(), "all there is"
    assert data.others.test == 10 and set(held(data.others)) <= set(range(250, 300))
    np.testing.assert_array_equal(DATA.labels[which(data.others)], data.others.labels + 3)
    some = asked(classes=4, transfer=2, size=3)
    assert (some.classes, some.others.classes) == (("a", "b"), ("c", "d"))
    assert some.inputs.shape[1:] == some.others.inputs.shape[1:] == (3, 3, 1)
    task = ClassificationTask(some)
    assert task.outputs == 2 and task.metrics[-2].name == "accuracy_features_held_out"


# Names


def test_names_and_notices_say_what_was_asked():
    data = load_labelled("digits:transfer=4, test=100,size=4 ,shift=1,classes=9,samples=300")
    assert data.name == "digits:classes=9,samples=300,test=100,size=4,shift=1,transfer=4"
    assert data.notices == (
        "the first 9 of 10 classes",
        "300 training samples, the same share of each class",
        "a test part of 100 samples, the same share of each class",
        "pictures averaged by area from 8×8 to 4×4",
        "asked too: the held-out pictures moved by up to 1 pixel, with the background coming in",
        "the first 4 classes are learnt; the other 5 are asked of the features, by a linear probe",
    )
    tasks = [ClassificationTask(load_labelled(f"digits{o}")) for o in ("", ":samples=500",
             ":samples=501", ":shift=1", ":shift=2", ":transfer=5", ":size=4")]  # fmt: skip
    assert len({task.fingerprint for task in tasks}) == len(tasks)
    assert len({task.name for task in tasks}) == len(tasks)


@given(st.fixed_dictionaries({name: st.integers(0, 9999) for name in Options().__dict__}))
def test_what_is_written_is_read(options):
    given_options = Options(**options)
    assert Options.parse("data", str(given_options)) == given_options


def test_names_with_options_name_what_they_named():
    for name in ("digits", "breast-cancer", "spoken-digits", "fashion-mnist"):
        for source in (f"{name}:samples=9", Path(f"{name}:samples=9"), f"{name}:nonsense"):
            assert is_labelled(source)
            assert is_sound(source) == (name == "spoken-digits")
    assert is_labelled("mine.npz:classes=3") and not is_labelled(":size=3")


def test_an_option_of_what_is_nowhere_is_labelled_datas(here):
    (here / "photo.png").touch()
    (here / "none").mkdir()
    for there in ("photo.png:size=3", "none:size=3", "teacher:samples=5", "a:b=c", "a:size"):
        assert not is_labelled(there)
    assert is_labelled("digit:size=3")
    with pytest.raises(PenchantError, match=r"^digit: no such data set.* did you mean 'digits'"):
        load_labelled("digit:size=3")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "mine.npz", inputs=DATA.inputs, labels=DATA.labels)
    for name in ("bird", "cat", "dog", "eel"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number in range(7):
            picture = RANDOM.integers(0, 256, (10, 12), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "animals" / name / f"{number}.png")
    return tmp_path


def test_files_and_folders_take_options(here):
    data = load_labelled("mine.npz:classes=3,samples=60,size=2")
    assert data.name == "mine:classes=3,samples=60,size=2"
    assert data.inputs.shape == (60, 2, 2, 1)
    animals = "animals:size=5,classes=3,shift=1"
    for source in (animals, str(here / animals), f"./{animals}"):
        assert is_labelled(source)
        data = load_labelled(source, size=8)
        assert data.name == "animals:classes=3,size=5,shift=1"
        assert data.inputs.shape == (21, 5, 5, 1), "a folder's pictures are read at their size"
    assert load_labelled("animals:classes=2", size=8).inputs.shape == (14, 8, 8, 1)
    assert load_labelled(Path("animals:test=8")).test == 8


def test_a_path_that_exists_is_taken_as_it_is(here):
    (here / "animals").rename(here / "animals:size=5")
    assert source_and_options("animals:size=5") == ("animals:size=5", "")
    data = load_labelled("animals:size=5", size=8)
    assert (data.name, data.inputs.shape[1]) == ("animals:size=5", 8)
    assert load_labelled("animals:size=5:size=4").inputs.shape[1] == 4
    # A data set's name stays one, as it does where a folder is called the same.
    (here / "animals:size=5").rename(here / "digits:size=5")
    assert load_labelled("digits:size=5").inputs.shape == (1797, 5, 5, 1)
    assert load_labelled("./digits:size=5", size=8).inputs.shape == (28, 8, 8, 1)


# What does not fit


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digits:sampels=5", "digits: option 'sampels' is unknown; did you mean 'samples'"),
        ("digits:", None),
        ("digits:samples", "digits: 'samples': samples needs a whole number from 1, of at"),
        ("digits:samples=1000000000", "'samples=1000000000': .* of at most 9 digits"),
        ("digits:samples=0", "'samples=0': samples needs a whole number from 1"),
        ("digits:samples=-5", "'samples=-5'"),
        ("digits:samples=1e3", "'samples=1e3'"),
        ("digits:size=4,size=5", "digits: option 'size' is given twice"),
        ("digits:size=4,,", "digits: option '' is unknown"),
        ("digits:samples=1798", "samples=1798, and there are 1797 training samples; 1 to 1797 fit"),
        ("digits:test=1000,samples=900", "there are 797 training samples; 1 to 797 fit"),
        ("digits:classes=3,samples=600", "there are 537 training samples"),
        ("digits:samples=20", r"samples=20 has . of class '.', and each needs 5; 5\d to 1797 fit"),
        ("digits:test=1790", "class '.' has . samples outside the test part"),
        ("digits:test=1797", "test=1797 of 1797 samples; .* leaves some to learn from"),
        ("digits:classes=1", "digits: classes=1 of 10; 2 to 10 fit"),
        ("digits:classes=11", "classes=11 of 10; 2 to 10 fit"),
        ("digits:size=9", "digits: size=9 of pictures 8×8; 2 to 8 fit"),
        ("digits:size=1", "size=1 of pictures 8×8; 2 to 8 fit"),
        ("digits:shift=8", "shift=8 of pictures whose side is 8; 1 to 7 fit"),
        ("digits:size=4,shift=4", "shift=4 of pictures whose side is 4; 1 to 3 fit"),
        ("digits:transfer=9", "transfer=9 of 10 classes; 2 to 8 fit"),
        ("digits:transfer=1", "transfer=1 of 10 classes; 2 to 8 fit"),
        ("digits:transfer=5,classes=6", "transfer=5 of 6 classes; 2 to 4 fit"),
        ("breast-cancer:size=4", r"size=4 is for pictures.* vectors of shape \(30,\)"),
        ("breast-cancer:shift=4", "shift=4 is for pictures"),
        ("breast-cancer:transfer=1", "transfer=1 of 2 classes; at least 4 are needed"),
        ("digit:size=4", "digit: no such data set, file or folder; did you mean 'digits'"),
        ("gone.npz:size=4", "gone.npz: no such data set, file or folder"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(source, message):
    if message is None:
        assert load_labelled(source).name == "digits", "a colon alone asks for nothing"
        return
    with pytest.raises(PenchantError, match=message) as caught:
        load_labelled(source)
    assert "\n" not in str(caught.value)


def test_sounds_and_oblong_pictures_stay_as_they_are():
    sound = made((4, 6), sound=True)
    for option in ("size", "shift"):
        with pytest.raises(PenchantError, match=rf"{option}=2 is for pictures.* are sounds"):
            asked(sound, **{option: 2})
    assert asked(sound, classes=2, samples=30).sound
    with pytest.raises(PenchantError, match="size=2 of pictures 4×6; only square pictures"):
        asked(made((4, 6)), size=2)


def test_the_number_that_would_fit_fits():
    with pytest.raises(PenchantError, match=r"^made: samples=30 has 3 of class 'c'") as caught:
        asked(samples=30)
    least = int(str(caught.value).rsplit(";", 1)[1].split()[0])
    assert np.bincount(asked(samples=least).labels[:-50]).min() == 5
    with pytest.raises(PenchantError, match="each needs 5"):
        asked(samples=least - 1)


def test_fashion_mnist_in_parts(penchant_data, monkeypatch):
    if not (penchant_data / "fashion-mnist").is_dir():
        pytest.skip("no real data: PENCHANT_DATA holds no fashion-mnist")
    monkeypatch.setenv("PENCHANT_DATA", str(penchant_data))
    data = load_labelled("fashion-mnist:samples=500,size=14,shift=1")
    assert data.inputs.shape == (10_500, 14, 14, 1) and data.test == 10_000
    assert np.bincount(data.labels[:500]).tolist() == [50] * 10
    more = load_labelled("fashion-mnist:samples=2000,test=1000")
    assert more.inputs.dtype == np.uint8
    assert np.bincount(more.labels[-1000:]).tolist() == [100] * 10
    small = {
        picture.tobytes() for picture in load_labelled("fashion-mnist:samples=500").inputs[:500]
    }
    assert small <= {picture.tobytes() for picture in more.inputs[:2000]}
