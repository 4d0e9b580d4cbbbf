"""A study's folder: what is written, what is refused, what is left alone."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import penchant as pn
from penchant.errors import PenchantError
from penchant.study import Study
from penchant.study._folder import file_name
from penchant.tasks import Picture

Tiny = Callable[..., Study]
Waves = Callable[..., Picture]

# Files


def test_files_of_a_study(tiny: Tiny, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "study"
    tiny(photo, out=out).run()
    there = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    networks = [
        f"networks/{name}--seed{n}.safetensors" for name in ("relu", "sine") for n in (0, 1)
    ]
    assert there == sorted(["study.toml", "study.db", "results.csv", "verdicts.json", *networks])


def test_columns_of_the_table(tiny: Tiny, tmp_path: Path) -> None:
    vary = {"activation": ["relu", "sine"], "encoding": ["none", "fourier"]}
    results = tiny(out=tmp_path, vary=vary).run()
    with (tmp_path / "results.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert ",".join(head) == (
        "run,design,seed,status,steps,seconds,parameters,activation,encoding,"
        "psnr_seen,psnr_held_out,ssim_seen,ssim_held_out"
    )
    assert len(rows) == len(results.runs) == 8
    for row, run in zip(rows, results.runs, strict=True):
        cells = dict(zip(head, row, strict=True))
        assert cells["run"] == run.id and cells["design"] == run.design
        assert (int(cells["seed"]), int(cells["steps"])) == (run.seed, 12)
        assert cells["activation"] == run.settings["activation"]
        assert float(cells["psnr_held_out"]) == run.metrics["psnr_held_out"], "to the last digit"


def test_verdicts_are_valid_json(tiny: Tiny, tmp_path: Path) -> None:
    # One seed: an interval without end and an undefined effect, for which JSON has no words.
    results = tiny(out=tmp_path, seeds=1).run()
    text = (tmp_path / "verdicts.json").read_text()

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    (entry,) = json.loads(text, parse_constant=refuse)
    assert {"design", "baseline", "metric", "n", "mean_difference", "interval", "p_sign_flip",
            "effect", "verdict"} <= set(entry)  # fmt: skip
    assert entry["interval"] == [None, None] and entry["effect"] is None
    (verdict,) = results.verdicts
    for name in ("design", "baseline", "metric", "n", "mean_difference", "p_sign_flip", "verdict"):
        assert entry[name] == getattr(verdict, name)


def test_verdicts_on_a_target_stand_with_the_others(tiny: Tiny, tmp_path: Path) -> None:
    results = tiny(out=tmp_path, target=8.5).run()
    first, second = json.loads((tmp_path / "verdicts.json").read_text())
    assert first["metric"] == "psnr_held_out" and second["metric"] == "steps_to_8.5"
    assert first.keys() == second.keys() and second["unit"] == "steps"
    assert second["sentence"] == results.target_verdicts[0].sentence
    described = {metric["name"]: metric for metric in results.plan["metrics"]}
    assert described["psnr_held_out"]["unit"] == "dB"
    assert described["steps_to_8.5"]["higher_is_better"] is False


def test_networks_give_the_reconstructions(tiny: Tiny, tmp_path: Path) -> None:
    designs = [{"activation": "wire"}, {"encoding": "fourier"}, {"activation": "finer"}]
    results = tiny(out=tmp_path, designs=designs, tune=2).run()
    answers = {r.design: r.values for r in results.reconstructions if r.design}
    assert len(answers) == 3
    for label, picture in answers.items():
        loaded = pn.load(tmp_path / "networks" / f"{label}--seed0.safetensors")
        assert loaded.render().tobytes() == np.ascontiguousarray(picture).tobytes()
        (run,) = [run for run in results.runs if run.design == label and run.seed == 0]
        assert loaded.design.model_dump() == run.settings


def test_several_signals_have_networks_of_their_own(
    tiny: Tiny, waves: Waves, tmp_path: Path
) -> None:
    results = tiny([waves("a b"), waves("c", phase=1.0)], out=tmp_path, seeds=1).run()
    names = sorted(path.name for path in (tmp_path / "networks").iterdir())
    assert names == sorted(
        f"{signal}--{design}--seed0.safetensors"
        for signal in ("a_b", "c")
        for design in ("relu", "sine")
    )
    pictures = {(r.signal, r.design): r.values for r in results.reconstructions}
    loaded = pn.load(tmp_path / "networks" / "c--sine--seed0.safetensors")
    assert np.array_equal(loaded.render(), pictures["c", "sine"])


@pytest.mark.parametrize("label", ["relu width=8", "Snake #1", "../escape", "a/b", "relu+nerf"])
def test_file_names_stay_in_the_folder(label: str) -> None:
    assert re.fullmatch(r"[\w.+=#-]+", file_name(label)) and "/" not in file_name(label)


# study.toml does it again


def test_study_toml_does_it_again(tiny: Tiny, photo: Path, mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    vary = {"activation": ["relu", f"{mine}:Snake"]}
    first = tiny(photo, out=out, vary=vary, tune=2).run()
    read = Study.read(out / "study.toml")
    assert read.results().verdicts == first.verdicts
    again = Study.read(out / "study.toml", out=tmp_path / "again").run()
    frames = [r.to_pandas().drop(columns=["seconds", "activation"]) for r in (first, again)]
    assert frames[0].equals(frames[1])


def test_no_study_toml_for_what_has_no_path(
    tiny: Tiny, waves: Waves, photo: Path, tmp_path: Path
) -> None:
    tiny(waves("other"), out=tmp_path / "one").run()
    tiny([photo, waves("other")], out=tmp_path / "two").run()
    assert not (tmp_path / "one" / "study.toml").exists()
    assert not (tmp_path / "two" / "study.toml").exists(), "it would name one signal of two"


# What is refused


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"steps": 13}, "steps"),
        ({"seeds": 3}, "seeds"),
        ({"tune": 1}, "tune"),
        ({"vary": {"activation": ["relu", "tanh"]}}, "designs"),
        ({"baseline": "sine"}, "baseline"),
        ({"margin": 1.0, "metric": "psnr_seen"}, "margin, metric"),
        ({"held_out": "none"}, "signals, held_out"),
        ({"signals": "other"}, "signals"),
    ],
)
def test_another_study_is_refused(
    tiny: Tiny, waves: Waves, tmp_path: Path, change: dict, word: str
) -> None:
    tiny(out=tmp_path).run()
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.suffix in (".csv", ".json")}
    picture = waves(phase=1.0) if change.pop("signals", None) else None
    other = tiny(picture, out=tmp_path, **change)
    with pytest.raises(PenchantError) as caught:
        other.run()
    message = str(caught.value)
    assert f"(it differs in {word})" in message and "--fresh" in message
    assert before == {path: path.read_bytes() for path in before}


def test_order_of_the_designs_is_no_other_study(tiny: Tiny, tmp_path: Path) -> None:
    tiny(out=tmp_path, vary={"activation": ["relu", "sine"]}, baseline="relu").run()
    study = tiny(out=tmp_path, vary={"activation": ["sine", "relu"]}, baseline="relu")
    assert study.remaining() == 0 and study.results().designs == ("sine", "relu")


@pytest.mark.parametrize(
    "name", ["results.csv", "verdicts.json", "report.html", "networks/relu--seed0.safetensors"]
)
def test_files_without_their_study_are_refused(tiny: Tiny, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("someone's")
    with pytest.raises(PenchantError, match=re.escape(name)):
        tiny(out=tmp_path).run()
    assert path.read_text() == "someone's" and not (tmp_path / "study.db").exists()


def test_plan_that_was_not_run_is_refused(tiny: Tiny, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    tiny(photo, out=out).run()
    (out / "study.db").unlink()
    for name in ("results.csv", "verdicts.json"):
        (out / name).unlink()
    for network in (out / "networks").iterdir():
        network.unlink()
    before = (out / "study.toml").read_bytes()
    with pytest.raises(PenchantError, match="plans another study"):
        tiny(photo, out=out, steps=13).run()
    assert (out / "study.toml").read_bytes() == before
    tiny(photo, out=out).run()
    assert (out / "results.csv").exists()


def test_folder_that_is_a_file(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(PenchantError, match="file"):
            tiny(out=out).run()


def test_database_that_is_none(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("not a database, but long enough to be looked at" * 20)
    with pytest.raises(PenchantError, match=re.escape("study.db")):
        tiny(out=tmp_path).run()


# Fresh


def test_fresh_replaces_the_study_and_nothing_else(tiny: Tiny, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    tiny(photo, out=out, vary={"activation": ["relu", "tanh"]}).run()
    kept = [out / "notes.txt", out / "photo.png", out / "networks" / "mine.safetensors",
            out / "deep" / "results.csv"]  # fmt: skip
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("the user's")
    (out / "report.html").write_text("a page of the old study")
    tiny(photo, out=out, seeds=1).run(fresh=True)
    assert all(path.read_text() == "the user's" for path in kept)
    names = {path.name for path in (out / "networks").iterdir()}
    assert names == {"relu--seed0.safetensors", "sine--seed0.safetensors", "mine.safetensors"}
    assert not (out / "report.html").exists()
    assert Study.read(out / "study.toml").plan.seeds == 1
    assert len((out / "results.csv").read_text().splitlines()) == 3


def test_fresh_keeps_a_plan_in_the_users_own_words(tiny: Tiny, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(
        f"# mine\nsignals = ['{photo.name}']\nseeds = 1\nsteps = 3\ntune = 0\n"
        "vary = {activation = ['relu', 'sine']}\n"
    )
    before = path.read_bytes()
    Study.read(path).run()
    Study.read(path).run(fresh=True)
    assert path.read_bytes() == before


def test_fresh_without_paths_leaves_no_plan_of_another(
    tiny: Tiny, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    tiny(photo, out=out).run()
    tiny(out=out).run(fresh=True)
    assert not (out / "study.toml").exists()


def test_left_aside_files_are_swept(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    stray = [tmp_path / ".results.csv.abcd1234",
             tmp_path / "networks" / ".relu--seed0.safetensors.abcd1234"]  # fmt: skip
    own = [tmp_path / ".results.csv.swp", tmp_path / ".hidden"]
    for path in stray + own:
        path.write_text("half")
    tiny(out=tmp_path).run()
    assert not any(path.exists() for path in stray)
    assert all(path.read_text() == "half" for path in own)
