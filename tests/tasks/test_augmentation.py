"""What training sees of a picture: every operation against a slow one, and nothing else changed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks import ClassificationTask, Labelled, load_labelled
from penchant.tasks._augmentation import Augmentation, augmentation_text, parse_augmentation

RANDOM = np.random.default_rng(0)
LABELS = np.tile([0, 1, 2], 20)


def pictures(*shape, dark=True):
    """Noise on a plain border of 2 pixels."""
    inputs = np.full((60, *shape), 0 if dark else 255, np.uint8)
    inputs[:, 2:-2, 2:-2] = RANDOM.integers(1, 255, inputs[:, 2:-2, 2:-2].shape)
    return Labelled("pictures", inputs, LABELS)


def augmentation(text, shape, fill=0.0):
    channels = (*shape, 1)[2]
    return Augmentation(parse_augmentation(text, shape), shape, torch.full((channels,), fill))


def rows_of(shape, count=40):
    return torch.rand(count, int(np.prod(shape)), generator=generator(0, "rows"))


def every_move(picture, reach, fill):
    """All pictures that a move by at most `reach` makes, by (down, across)."""
    height, width = picture.shape[:2]
    frame = np.full((height + 2 * reach, width + 2 * reach, *picture.shape[2:]), fill, np.float32)
    frame[reach : reach + height, reach : reach + width] = picture
    return {
        (reach - top, reach - left): frame[top : top + height, left : left + width]
        for top in range(2 * reach + 1)
        for left in range(2 * reach + 1)
    }


@pytest.mark.parametrize("name", ["shift", "crop"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (5, 4, 3), (6, 6, 5)])
def test_a_picture_moves_and_the_background_comes_in(name, shape):
    rows = rows_of(shape)
    result = augmentation(f"{name}:2", shape, fill=-7.0)(rows, generator(0, "test"))
    offsets = set()
    for before, after in zip(rows.view(-1, *shape), result.view(-1, *shape), strict=True):
        found = [
            by
            for by, one in every_move(before.numpy(), 2, -7.0).items()
            if np.array_equal(one, after)
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) > 10, "each sample has an offset of its own"


def test_all_moves_are_equally_likely():
    shape, picture = (3, 3), torch.zeros(9)
    picture[4] = 1
    result = augmentation("shift:1", shape)(picture.expand(9000, -1), generator(0, "test"))
    often = result.sum(dim=0)
    assert often.sum() == 9000
    assert (often - 1000).abs().max() < 5 * np.sqrt(1000)


@pytest.mark.parametrize("shape", [(4, 5), (3, 2, 3)])
def test_about_half_of_the_pictures_are_flipped_left_to_right(shape):
    rows = rows_of(shape, 400)
    result = augmentation("flip", shape)(rows, generator(0, "test")).view(-1, *shape)
    before = rows.view(-1, *shape)
    same = (result == before).flatten(1).all(dim=1)
    turned = (result == before.flip(2)).flatten(1).all(dim=1)
    assert (same ^ turned).all()
    assert 150 < turned.sum() < 250


def test_operations_are_done_one_after_another():
    shape, rows = (5, 6, 2), rows_of((5, 6, 2))
    draws = generator(0, "test")
    step = augmentation("flip", shape)(rows, draws)
    step = augmentation("crop:1", shape)(step, draws)
    both = augmentation("flip,crop:1", shape)(rows, generator(0, "test"))
    assert torch.equal(both, step)


@given(count=st.integers(1, 30), seed=st.integers(0, 10**6))
def test_draws_belong_to_the_generator_alone(count, seed):
    shape, rows = (3, 4), rows_of((3, 4), count)
    augment = augmentation("shift:2,flip,crop:1", shape)
    kept = rows.clone()
    one = augment(rows, generator(seed, "augment", 3))
    torch.rand(5)
    assert torch.equal(one, augment(rows, generator(seed, "augment", 3)))
    assert torch.equal(rows, kept), "the given rows stay"
    # What is drawn depends on how many samples there are, not on what they show.
    assert torch.equal(augment(2 * rows, generator(seed, "augment", 3)), 2 * one)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("held_out", ["test", "random:0.4"])
def test_the_background_is_the_datas_own_standardised(dark, held_out):
    data = pictures(7, 7, 1, dark=dark)
    split = ClassificationTask(data, held_out, "shift:3").split(0)
    value = float(split.inputs.view(-1, 7, 7)[0, 0, 0])
    seen = data.inputs[split.seen] / 1.0
    assert value == pytest.approx(((0 if dark else 255) - seen.mean()) / seen.std(), rel=1e-5)
    assert split.augment.background.tolist() == [value]
    moved = split.augment(split.inputs, generator(0, "augment")).view(-1, 7, 7)
    raw = moved.double() * seen.std() + seen.mean()
    assert raw.min() > -1e-3 and raw.max() < 255 + 1e-3
    edges = {round(one) for one in raw[:, 0].flatten().tolist()}
    assert (0 if dark else 255) in edges


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_of_any_channel_count(channels):
    task = ClassificationTask(pictures(6, 6, channels), augment="crop:2,flip")
    assert task.shape == (6, 6, channels) and task.inputs == 36 * channels
    split = task.split(0)
    result = split.augment(split.inputs, generator(0, "augment"))
    assert result.shape == split.inputs.shape and result.dtype == torch.float32
    # Flipping and moving take whole pixels: colours are never mixed.
    known = {tuple(one) for one in split.inputs.view(-1, channels).tolist()}
    assert {tuple(one) for one in result.view(-1, channels).tolist()} <= known


def test_only_what_training_sees_is_augmented():
    plain = ClassificationTask(pictures(6, 6, 1))
    task = ClassificationTask(plain.data, augment=" shift:02 , flip ")
    assert task.augment == "shift:2,flip" and plain.augment == ""
    assert plain.split(0).augment is None
    for validation in (False, True):
        one, other = plain.split(0, validation=validation), task.split(0, validation=validation)
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
        network = torch.nn.Linear(36, 3)
        for final in (False, True):
            assert one.score(network, final=final) == other.score(network, final=final)
    assert task.notices[-1] == (
        "pictures are augmented anew whenever training sees them: moved by up to 2 pixels, then "
        "flipped or not"
    )


def test_augmentation_is_in_the_fingerprint_and_in_the_pickle():
    import pickle

    data = pictures(6, 6, 1)
    texts = ["", "shift:2", "shift:1", "flip", "shift:2,flip", "flip,shift:2"]
    tasks = [ClassificationTask(data, augment=text) for text in texts]
    assert len({task.fingerprint for task in tasks}) == len(texts)
    for task in tasks:
        copy = pickle.loads(pickle.dumps(task))
        assert (copy.augment, copy.fingerprint) == (task.augment, task.fingerprint)
        assert (copy.split(0).augment is None) == (not task.augment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shfit:2", "'shfit' is unknown; did you mean 'shift'. known: crop, flip, shift"),
        ("shift", "'shift' of pictures 6×6; shift:1 to shift:5 fit, in pixels"),
        ("crop:6", "'crop:6' of pictures 6×6; crop:1 to crop:5 fit"),
        ("crop:0", "'crop:0'"),
        ("shift:-1", "'shift:-1'"),
        ("shift:1.5", "'shift:1.5'"),
        ("flip:1", "flip takes no number; write 'flip'"),
        ("shift:1,,flip", "'' is unknown"),
    ],
)
def test_what_does_not_fit_is_one_line(text, message):
    with pytest.raises(PenchantError, match=message) as caught:
        ClassificationTask(pictures(6, 6, 1), augment=text)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_picture_cannot_be_augmented():
    vectors = Labelled("vectors", RANDOM.normal(size=(60, 4)), LABELS)
    sounds = Labelled("sounds", RANDOM.normal(size=(60, 4, 4)), LABELS, sound=True)
    for data in (vectors, sounds):
        with pytest.raises(PenchantError, match=r"^augment='flip': .*no pictures"):
            ClassificationTask(data, augment="flip")


@given(
    st.lists(
        st.one_of(st.just(("flip", 0)), st.tuples(st.sampled_from(["shift", "crop"]),
                                                  st.integers(1, 7))),
        max_size=4,
    )
)  # fmt: skip
def test_what_is_written_is_read(operations):
    text = augmentation_text(tuple(operations))
    assert parse_augmentation(text, (8, 9, 1)) == tuple(operations)


def test_on_digits_half_the_training_set_moves_every_step():
    split = ClassificationTask(load_labelled("digits:samples=200"), augment="shift:1").split(0)
    one, two = (split.augment(split.inputs, generator(0, "augment", step)) for step in (0, 1))
    same = (one == two).all(dim=1).double().mean()
    assert 0.02 < same < 0.3  # one of nine moves is as the step's before
