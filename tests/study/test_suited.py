"""`scale="auto"`: numbers that follow from the signal's spectrum, and what they are held to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penchant.errors import PenchantError
from penchant.probes import bandwidth
from penchant.study import CoordinateDesign, Design, Study, design, fit
from penchant.study import _suited as module
from penchant.study._plan import PILOT_SEED
from penchant.study._suited import FACTORS, suited, wanted_bandwidth
from penchant.tasks import Labelled, Picture, PictureTask, Sound, SoundTask, Task

Waves = Callable[..., Picture]

TWO: dict = {"designs": [{"activation": "sine"}, {"activation": "sine", "scale": "auto"}]}


def chosen(task: Task, **fields: object) -> CoordinateDesign:
    """Let a task's signal choose, and fill in the rest."""
    one = suited({"it": design({"scale": "auto", **fields})}, task)["it"].resolved()
    assert isinstance(one, CoordinateDesign)
    return one


@pytest.fixture(scope="module")
def picture(waves: Waves) -> PictureTask:
    """A picture whose samples bear about three cycles per unit."""
    return PictureTask(waves(size=(96, 96)), "random:0.5")


def tone(cycles: int) -> SoundTask:
    """A sound of so many cycles a unit."""
    time = np.arange(4000) / 2000
    return SoundTask(
        Sound("tone", np.sin(2 * np.pi * cycles * time).astype(np.float32)[:, None], 8000)
    )


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured: every search finds the same."""
    monkeypatch.setattr(module, "_matching", lambda bare, number, choices, *rest: choices[8])


# What is chosen


@pytest.mark.parametrize(
    "fields",
    [
        {"activation": "gaussian"},
        {"encoding": "fourier"},
    ],
    ids=str,
)
def test_the_network_has_the_wanted_bandwidth(picture: PictureTask, fields: dict) -> None:
    wanted, one = wanted_bandwidth(picture), chosen(picture, **fields)
    found = bandwidth(one.replaced(width=64).build((2,), 3, seed=0), 2)
    assert wanted is not None and found == pytest.approx(wanted, rel=0.25)


def test_no_other_choice_is_nearer(picture: PictureTask) -> None:
    wanted, one = wanted_bandwidth(picture), chosen(picture, activation="sine")
    usual = CoordinateDesign(activation="sine").resolved()
    assert wanted is not None and isinstance(one.scale, float) and isinstance(usual.scale, float)
    index = FACTORS.index(one.scale / usual.scale)

    def misses(factor: float) -> float:
        near = usual.replaced(scale=usual.scale * factor, width=64)  # type: ignore[operator]
        return abs(np.log(bandwidth(near.build((2,), 3, seed=0), 2) / wanted))

    own, *others = (misses(FACTORS[index + step]) for step in (0, -1, 1))
    assert own < min(others)


@pytest.mark.slow  # lines of one dimension take five times as long
def test_high_frequencies_are_measured_on_a_stretched_signal() -> None:
    wanted, one = wanted_bandwidth(tone(20)), chosen(tone(20), activation="sine", width=64)
    assert wanted == pytest.approx(40, rel=0.05) and wanted > 2 * module.HIGHEST
    assert bandwidth(one.build((1,), 1, seed=0), 1) == pytest.approx(wanted, rel=0.25)


@pytest.mark.usefixtures("matched")
def test_octaves_are_added_to_an_encoding() -> None:
    slow, fast = tone(20), tone(40)
    for number, encoding in (("frequencies", "nerf"), ("bandwidth", "fourier")):
        low, high = (getattr(chosen(task, encoding=encoding), number) for task in (slow, fast))
        assert high == (low + 1 if encoding == "nerf" else 2 * low)
    low, high = (chosen(task, encoding="nerf", activation="sine").scale for task in (slow, fast))
    assert low == high, "which see the same numbers"


@pytest.mark.usefixtures("matched")
def test_given_numbers_stay(picture: PictureTask) -> None:
    given = {"encoding": "fourier", "bandwidth": 3.0, "frequencies": 5, "learning_rate": 0.5}
    one = chosen(picture, activation="wire", omega=7.0, **given)
    assert one.model_dump(include={*given, "omega"}) == {**given, "omega": 7.0}


@pytest.mark.usefixtures("matched")
def test_an_open_wave_stretches_with_its_bump(picture: PictureTask) -> None:
    usual, one = CoordinateDesign(activation="wire").resolved(), chosen(picture, activation="wire")
    assert one.scale != usual.scale
    assert one.omega / one.scale == pytest.approx(usual.omega / usual.scale)  # type: ignore


def test_an_encoding_of_the_wanted_band_leaves_the_activation_little_to_add(
    picture: PictureTask,
) -> None:
    bare, coded = (chosen(picture, activation="gaussian", encoding=e) for e in ("none", "fourier"))
    assert coded.scale < bare.scale / 2  # type: ignore[operator]


@pytest.mark.parametrize("activation", ["sine", "gaussian"])
@pytest.mark.parametrize("encoding", ["none", "nerf"])
def test_rates_fall_as_scales_grow_and_rise_no_further_than_is_known(
    activation: str, encoding: str
) -> None:
    default = CoordinateDesign(activation=activation, encoding=encoding).resolved()
    rates = [
        module._scaled(CoordinateDesign(activation=activation, encoding=encoding), f).learning_rate
        for f in (1 / 64, 1, 64)
    ]
    shares = [rate / default.learning_rate for rate in rates]  # type: ignore[operator]
    assert shares == pytest.approx([2, 1, 1 / 64] if encoding == "none" else [1, 1 / 4, 1 / 256])


def test_it_knows_no_more_than_pilots(picture: PictureTask) -> None:
    values = picture.values.copy()
    hidden = picture.split(PILOT_SEED).held_out
    values.reshape(-1, 3)[hidden] = np.random.default_rng(0).random((len(hidden), 3))
    other = PictureTask(Picture("other", values), "random:0.5")
    assert wanted_bandwidth(other) == wanted_bandwidth(picture)


@pytest.mark.parametrize("fields", [{}, {"encoding": "grid", "activation": "sine"}], ids=str)
def test_where_nothing_decides_the_bandwidth_nothing_is_chosen(
    picture: PictureTask, fields: dict
) -> None:
    assert chosen(picture, **fields) == CoordinateDesign(**fields).resolved()


# In a study


def test_a_study_keeps_the_word_in_the_label_and_the_number_in_the_results(
    waves: Waves, tmp_path: Path
) -> None:
    words: dict = {**TWO, "seeds": 2, "steps": 3, "tune": 0, "held_out": "random:0.5"}
    study = Study(waves(size=(48, 48)), out=tmp_path, **words)
    assert list(study.designs[0]) == ["sine", "sine scale=auto"]
    number = study.designs[0]["sine scale=auto"].scale  # type: ignore[attr-defined]
    assert isinstance(number, float) and number != 15
    results = study.run()
    scales = {run.design: run.settings["scale"] for run in results.runs}
    assert scales == {"sine": 15, "sine scale=auto": number}
    module._bandwidth.cache_clear()  # as another process would find it
    again = Study(waves(size=(48, 48)), out=tmp_path, **words)
    assert again.remaining() == 0 and again.results().runs == results.runs
    assert [job.settings for job in again.jobs] == [job.settings for job in study.jobs]


def test_pilots_start_from_the_chosen_numbers(waves: Waves) -> None:
    signals = [waves("small", (48, 48)), waves("large", (96, 96))]
    study = Study(signals, **TWO, tune=4, seeds=1, steps=1)
    found: dict[int, list[Design]] = {0: [], 1: []}
    for job in study.pilot_jobs:
        if job.design == "sine scale=auto":
            found[job.task].append(job.settings)
    for index, tried in found.items():
        centre = study.designs[index]["sine scale=auto"]
        assert tried[0] == centre and len({*tried}) == 4
        for name in ("scale", "learning_rate"):
            factors = [getattr(one, name) / getattr(centre, name) for one in tried]
            assert max(max(factors), 1 / min(factors)) <= CoordinateDesign.reach[name]
    assert found[0][0].scale < found[1][0].scale  # type: ignore[attr-defined]


def test_the_word_survives_a_plan_file(photo: Path, tmp_path: Path) -> None:
    study = Study(photo, out=tmp_path / "a", **TWO, seeds=1, steps=1, tune=0, size=16)
    study.run()
    again = Study.read(tmp_path / "a" / "study.toml")
    assert again.plan.fingerprint() == study.plan.fingerprint() and again.remaining() == 0


def test_fit_takes_it_too(waves: Waves) -> None:
    fitted = fit(waves(), design={"activation": "sine", "scale": "auto", "width": 8}, steps=2)
    assert isinstance(fitted.design.scale, float) and fitted.design.scale < 15


# Sounds


@pytest.mark.usefixtures("matched")
def test_on_a_sound_what_is_left_open_follows_the_sound() -> None:
    task = tone(20)
    for fields in ({"activation": "sine"}, {"encoding": "nerf"}, {"encoding": "fourier"}):
        one = design(fields)
        assert suited({"it": one}, task)["it"].resolved() == chosen(task, **fields)
    given = design({"activation": "sine", "scale": 15})
    assert suited({"it": given}, task) == {"it": given}


def test_a_sound_without_a_spectrum_keeps_the_defaults() -> None:
    task, one = SoundTask(Sound("hum", np.ones((9, 1), np.float32), 8000)), design({})
    coded = design({"encoding": "nerf"})
    assert suited({"a": one, "b": coded}, task) == {"a": one, "b": coded}


# What has no spectrum


def test_what_does_not_fit_is_said_in_a_line(waves: Waves) -> None:
    blobs = Labelled("blobs", np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3)
    grey = Picture("grey", np.full((8, 8, 1), 0.5, np.float32))
    tries: list[tuple[Callable[[], object], str]] = [
        (lambda: Study(blobs, **TWO, family="coordinate"), "blobs is a data set"),
        (lambda: Study(grey, **TWO), "grey is constant"),
        (lambda: Study(waves(size=(3, 3)), **TWO), "fewer than 4 samples a side"),
        (lambda: design({"family": "dense", "scale": "auto"}), "only coordinate networks"),
        (lambda: design({"family": "autoencoder", "scale": "auto"}), "only coordinate networks"),
        (lambda: design({"scale": "automatic"}), "valid number, or auto"),
    ]
    for make, words in tries:
        with pytest.raises(PenchantError, match=words) as caught:
            make()
        assert "scale='auto" in str(caught.value) and "\n" not in str(caught.value)
