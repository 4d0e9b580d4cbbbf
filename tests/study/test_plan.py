"""A plan: the grid, its labels, its baseline, and the same again from study.toml."""

import itertools
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.study import BUILT_IN, CoordinateDesign, Plan, parse_fields, parse_vary
from penchant.study._plan import DEFAULT_DESIGNS, MOST_DESIGNS, PILOT_SEED
from penchant.study._plan_file import read_toml, write_toml

NOTHING: dict[str, Any] = {"augment": "", "also": [], "probes": [], "judge": "across"}
"""What a plan says where these words are not given."""


def refusal(words: dict[str, Any]) -> str:
    with pytest.raises(PenchantError) as caught:
        Plan.of(words)
    message = str(caught.value)
    assert "\n" not in message
    return message


# Designs


def test_default_designs() -> None:
    assert list(Plan.of({}).labelled()) == [
        "relu",
        "gelu",
        "gaussian",
        "sine",
        "finer",
        "relu+nerf",
    ]
    assert Plan.of({}).axes() == ("activation", "encoding")
    assert len(DEFAULT_DESIGNS["coordinate"]) == 6


def test_vary_makes_the_full_grid_in_order() -> None:
    vary = {"activation": ["relu", "sine"], "encoding": ["none", "nerf"], "width": [8, "16"]}
    designs = list(Plan.of({"vary": vary}).labelled().values())
    expected = list(itertools.product(["relu", "sine"], ["none", "nerf"], [8, 16]))
    assert [(d.activation, d.encoding, d.width) for d in designs] == expected
    assert Plan.of({"vary": vary}).axes() == ("activation", "encoding", "width")


def test_design_stands_outside_the_grid() -> None:
    words = {"vary": {"activation": ["sine", "relu"]}, "designs": [{"encoding": "fourier"}]}
    assert list(Plan.of(words).labelled()) == ["sine", "relu", "relu+fourier"]


def test_designs_alone_replace_the_default() -> None:
    assert list(Plan.of({"designs": [{"activation": "tanh"}]}).labelled()) == ["tanh"]


@pytest.mark.parametrize(
    ("designs", "labels"),
    [
        (
            [{"width": 8}, {"width": 16}, {"activation": "sine", "scale": 5}],
            ["relu width=8", "relu width=16", "sine"],
        ),
        ([{}, {"learning_rate": 0.001}], ["relu", "relu learning_rate=0.001"]),
        (
            [{"depth": 2, "optimizer": "adam"}, {"depth": 3, "optimizer": "adam"}],
            ["relu depth=2", "relu depth=3"],
        ),
        (
            [{"width": 8}, {"width": 16}, {"activation": "sine", "depth": 5, "optimizer": "sgd"}],
            ["relu width=8", "relu width=16", "sine"],
        ),
        (
            [{"divergence": "l2"}, {"divergence": "kl"}, {"divergence": "l2", "link": "sigmoid"}],
            ["relu+l2", "relu+kl", "relu+l2 link=sigmoid"],
        ),
        (
            [{}, {"family": "dense"}, {"encoding": "nerf"}],
            ["coordinate+relu", "dense+relu", "coordinate+relu+nerf"],
        ),
        (
            [{"activation": "a/mine.py:Snake"}, {"activation": "b/mine.py:Snake"}],
            ["Snake #1", "Snake #2"],
        ),
    ],
)
def test_designs_of_one_label_show_what_differs(
    designs: list[dict[str, Any]], labels: list[str]
) -> None:
    assert list(Plan.of({"designs": designs}).labelled()) == labels


def test_duplicate_is_refused() -> None:
    words = {"vary": {"activation": ["relu", "sine"]}, "designs": [{"activation": "sine"}]}
    assert "design sine is in the plan 2 times" in refusal(words)


def test_too_many_designs_are_refused_before_they_are_made() -> None:
    axis = list(range(1, 2001))
    names = ["width", "depth", "frequencies", "bins", "scale", "bandwidth"]
    message = refusal({"vary": dict.fromkeys(names, axis)})
    assert f"{2000**6:,} designs" in message and str(MOST_DESIGNS) in message
    fields = [{"width": width} for width in range(1, MOST_DESIGNS + 1)]
    assert len(Plan.of({"designs": fields}).labelled()) == MOST_DESIGNS


# Baseline


@pytest.mark.parametrize(
    ("baseline", "label"),
    [
        (None, "relu"),
        ("relu+nerf", "relu+nerf"),
        ("activation=sine", "sine"),
        ("activation=relu,encoding=nerf", "relu+nerf"),
        ("encoding = none , activation = gelu", "gelu"),
    ],
)
def test_baseline_by_label_and_by_fields(baseline: str | None, label: str) -> None:
    assert Plan.of({"baseline": baseline}).baseline_label() == label


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ("snie", ["baseline='snie' is not in the plan", "did you mean 'sine'"]),
        ("activation=tanh", ["baseline='activation=tanh' is not in the plan"]),
        ("activatoin=relu", ["axis 'activatoin' is unknown"]),
        ("activation=", ["not of the form axis=value"]),
    ],
)
def test_unknown_baseline(baseline: str, words: list[str]) -> None:
    message = refusal({"baseline": baseline})
    assert all(word in message for word in words)


# Words


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ({"sedes": 3}, ["'sedes' is unknown", "did you mean 'seeds'"]),
        ({"seeds": 0}, ["seeds=0", "greater than or equal to 1"]),
        ({"seeds": PILOT_SEED}, [f"seeds={PILOT_SEED}"]),
        ({"steps": -5}, ["steps=-5"]),
        ({"steps": 2.5}, ["steps=2.5", "integer"]),
        ({"batch": 0}, ["batch=0"]),
        ({"size": 1}, ["size=1"]),
        ({"tune": -1}, ["tune=-1"]),
        ({"match": "parameter"}, ["match='parameter'", "parameters"]),
        ({"judge": "all"}, ["judge='all'", "'across' or 'each'"]),
        ({"probes": ["gradient"]}, ["probes.0='gradient'", "'gradients' or 'blocks'"]),
        ({"probes": "blocks"}, ["probes='blocks'", "list"]),
        ({"also": "psnr_seen"}, ["also='psnr_seen'", "list"]),
        ({"margin": 0}, ["margin=0"]),
        ({"margin": math.inf}, ["margin=inf", "finite"]),
        ({"vary": {"activation": []}}, ["vary activation: no value is given"]),
        ({"vary": {"activation": "relu"}}, ["vary.activation='relu'", "list"]),
        ({"vary": ["relu"]}, ["vary=['relu']", "dictionary"]),
        ({"vary": {"colour": ["red"]}}, ["axis 'colour' is unknown", "known: "]),
        ({"vary": {"activation": ["relu", "snie"]}}, ["'snie'", "did you mean 'sine'"]),
        ({"vary": {"activation": [["relu"]]}}, ["activation=['relu']", "string"]),
        ({"vary": {"activation": ["relu", "sine"], "omega": [3]}}, ["omega", "no such number"]),
        ({"designs": {"activation": "relu"}}, ["designs=", "list"]),
        ({"designs": ["relu"]}, ["designs.0='relu'", "dictionary"]),
        ({"held_out": 3}, ["held_out=3", "string"]),
    ],
)
def test_misfit_is_one_helpful_line(words: dict[str, Any], parts: list[str]) -> None:
    message = refusal(words)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("text", ["relu", "activation", "=relu", "activation=relu,", "a=b,c"])
def test_fields_need_axis_and_value(text: str) -> None:
    with pytest.raises(PenchantError, match="not of the form axis=value"):
        parse_fields(text)


@pytest.mark.parametrize("text", ["activation", "activation=", "activation=relu,,sine"])
def test_vary_needs_axis_and_values(text: str) -> None:
    with pytest.raises(PenchantError, match="not of the form axis=value,value"):
        parse_vary([text])


def test_fields_refuse_an_axis_given_twice() -> None:
    with pytest.raises(PenchantError, match=r"^design .*: width is given twice"):
        parse_fields("width=8, width=16")
    with pytest.raises(PenchantError, match=r"^baseline .*: width is given twice"):
        Plan.of({"vary": {"width": [8, 16]}, "baseline": "width=8,width=16"})


def test_vary_refuses_an_axis_given_twice() -> None:
    with pytest.raises(PenchantError, match="'width' is given twice"):
        parse_vary(["width=8", "width=16"])


# Fingerprint


def test_fingerprint_is_the_meaning_not_the_spelling() -> None:
    grid = Plan.of({"vary": {"activation": ["relu", "sine"], "width": ["8"]}})
    single = Plan.of(
        {"designs": [{"activation": a, "width": 8} for a in ("sine", "relu")], "baseline": "relu"}
    )
    assert grid.fingerprint() == single.fingerprint()
    for words in ({"seeds": 3}, {"steps": 3}, {"batch": 3}, {"size": 3}, {"held_out": "none"},
                  {"tune": 3}, {"match": "parameters"}, {"baseline": "sine"}, {"margin": 3},
                  {"metric": "psnr_seen"}, {"augment": "flip"}, {"also": ["psnr_seen"]},
                  {"probes": ["blocks"]}, {"judge": "each"}):  # fmt: skip
        other = Plan.of({"vary": {"activation": ["relu", "sine"], "width": ["8"]}, **words})
        assert other.fingerprint() != grid.fingerprint(), words


def test_later_words_leave_older_plans_as_they_were() -> None:
    """A study of before goes on: at their defaults, new words are not in its fingerprint."""
    plan = Plan.of({"designs": [{"width": 8}, {"activation": "sine"}]})
    content = json.loads(plan.fingerprint())
    assert list(content) == sorted(
        ["designs", "baseline", "family", "seeds", "steps", "batch", "size", "held_out", "noise",
         "tune", "match", "metric", "margin", "target"]
    )  # fmt: skip
    assert content["baseline"] == "relu"
    said = Plan.of({**plan.model_dump(exclude_unset=True), **NOTHING})
    assert said.fingerprint() == plan.fingerprint()


# study.toml


def again(plan: Plan, folder: Path, signals: list[str] | None = None) -> tuple[Plan, list[str]]:
    path = folder / "study.toml"
    path.write_bytes(write_toml(plan, signals or [BUILT_IN], folder))
    return read_toml(path)


numbers = {
    "width": st.integers(1, 512),
    "depth": st.integers(1, 8),
    "scale": st.floats(1e-3, 1e3),
    "learning_rate": st.floats(1e-6, 1.0),
}
axes = st.fixed_dictionaries(
    {"activation": st.lists(st.sampled_from(["relu", "sine", "wire"]), min_size=1, unique=True)},
    optional={
        name: st.lists(value, min_size=1, max_size=2, unique=True)
        for name, value in numbers.items()
    },
)
single = st.fixed_dictionaries(
    {"activation": st.sampled_from(["gelu", "tanh"])},
    optional={"encoding": st.sampled_from(["none", "nerf"]), **numbers},
)
plans = st.fixed_dictionaries(
    {"vary": axes, "designs": st.lists(single, max_size=2, unique_by=lambda d: d["activation"])},
    optional={
        "seeds": st.integers(1, 100),
        "steps": st.integers(1, 10**6),
        "batch": st.integers(1, 10**6),
        "size": st.integers(2, 10_000),
        "held_out": st.sampled_from(["none", "random:0.25", "checkerboard", "every:3"]),
        "tune": st.integers(0, 100),
        "match": st.sampled_from(["width", "parameters"]),
        "baseline": st.just("activation=tanh") | st.none(),
        "metric": st.sampled_from(["psnr_seen", None]),
        "augment": st.sampled_from(["", "shift:2,flip"]),
        "also": st.lists(st.sampled_from(["ssim_seen", "gap_nll@nll_seen=0.1"]), unique=True),
        "probes": st.lists(st.sampled_from(["gradients", "blocks"]), unique=True),
        "judge": st.sampled_from(["across", "each"]),
        "margin": st.floats(1e-6, 1e6) | st.none(),
    },
)


@settings(deadline=None, max_examples=60)
@given(plans)
def test_toml_gives_the_same_plan(
    tmp_path_factory: pytest.TempPathFactory, words: dict[str, Any]
) -> None:
    if words.get("baseline") and {"activation": "tanh"} not in words["designs"]:
        words["baseline"] = None
    plan = Plan.of(words)
    there, signals = again(plan, tmp_path_factory.mktemp("plan"))
    assert there.fingerprint() == plan.fingerprint()
    assert list(there.labelled()) == list(plan.labelled())
    assert signals == [BUILT_IN]


def test_toml_takes_what_only_python_can_say(tmp_path: Path) -> None:
    plan = Plan.of(
        {
            "vary": {"activation": ["sine"], "scale": [None, np.float32(30)]},
            "designs": [{"activation": "relu", "width": np.int64(8), "scale": None}],
        }
    )
    assert again(plan, tmp_path)[0].fingerprint() == plan.fingerprint()


def test_paths_are_relative_to_the_file(
    tmp_path: Path, photo: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "a" / "b"
    out.mkdir(parents=True)
    plan = Plan.of(
        {"vary": {"activation": ["relu", "mine.py:Snake"]}, "designs": [
            {"activation": str(mine) + ":wiggle"}]}
    )  # fmt: skip
    there, signals = again(plan, out, [photo.name, str(photo), BUILT_IN])
    text = (out / "study.toml").read_text()
    assert str(tmp_path) not in text
    assert there.fingerprint() == plan.fingerprint()
    assert [Path(s).resolve() for s in signals[:2]] == [photo, photo] and signals[2] == BUILT_IN
    # The whole tree moves, and is read from somewhere else.
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    monkeypatch.chdir("/")
    there, signals = read_toml(moved / "a" / "b" / "study.toml")
    assert "Snake@" in there.fingerprint() and Path(signals[0]).is_file()
    moved.rename(tmp_path)


def test_path_begins_with_an_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "study.toml"
    file.write_text("signals = ['$PICTURES/a.png', '${PICTURES}']\n", encoding="utf-8")
    monkeypatch.setenv("PICTURES", "/elsewhere")
    assert read_toml(file)[1] == ["/elsewhere/a.png", "/elsewhere"]
    monkeypatch.delenv("PICTURES")
    with pytest.raises(PenchantError, match=r"signal '\$PICTURES/a.png': \$PICTURES is not set"):
        read_toml(file)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ["cannot read", "no such file"]),
        ("signals = [", ["is not TOML"]),
        ("\udcff\udcfe", ["is not TOML"]),
        ("a = " + "[" * 100_000, ["is not TOML"]),
        ("a = " + "1" * 5_000, ["is not TOML"]),
        ("#" * 1_000_001, ["more than 1 MB"]),
        ("seeds = 3", ["signals must be a list"]),
        ("signals = 'photo.png'", ["signals must be a list"]),
        ("signals = []", ["signals must be a list"]),
        ("signals = [3]", ["signals must be a list"]),
        ("signals = ['built-in']\nvary = 3", ["vary=3"]),
        ("signals = ['built-in']\nvary = {activation = 'relu'}", ["vary.activation='relu'"]),
        ("signals = ['built-in']\ndesigns = 'relu'", ["designs='relu'"]),
        ("signals = ['built-in']\ndesigns = ['relu']", ["designs.0='relu'"]),
        ("signals = ['built-in']\nseeds = 'many'", ["seeds='many'"]),
        ("signals = ['built-in']\nseed = 3", ["'seed' is unknown", "did you mean 'seeds'"]),
    ],
)
def test_bad_toml_is_one_line_that_names_the_file(
    tmp_path: Path, content: str | None, parts: list[str]
) -> None:
    path = tmp_path / "study.toml"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(PenchantError) as caught:
        read_toml(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    assert all(part in message for part in parts), message


def test_folder_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match=re.escape(f"cannot read {tmp_path}")):
        read_toml(tmp_path)


def test_written_file_reads_as_words(tmp_path: Path) -> None:
    plan = Plan.of({"vary": {"activation": ["relu", "sine"]}, "designs": [{"encoding": "nerf"}]})
    (tmp_path / "pictures").mkdir()
    text = write_toml(plan, [str(tmp_path / "pictures" / "a.png")], tmp_path).decode()
    assert f'"pictures{os.sep}a.png"' in text
    for line in ("seeds = 10", "steps = 300", "size = 128", 'held_out = "random:0.5"', "tune = 4",
                 'match = "width"', 'encoding = "nerf"'):  # fmt: skip
        assert line in text


def test_designs_have_no_hidden_defaults() -> None:
    assert Plan.of({"designs": [{}]}).labelled() == {"relu": CoordinateDesign()}
