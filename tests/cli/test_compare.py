"""`compare` and `run`, from the plan to the files."""

import csv
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import TINY, Command, draw

from penchant.cli._compare import default_folder

FILES = ["networks", "report.html", "results.csv", "study.db", "study.toml", "verdicts.json"]
TWO = ("--vary", "activation=relu,sine")


def _rows(folder: str | Path) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(folder, "results.csv").read_text().splitlines()))


def test_a_study_from_a_picture_to_its_files(penchant: Command, here: Path, photo: Path) -> None:
    outcome = penchant("compare", photo, *TWO, *TINY)
    assert outcome.code == 0
    folder = here / "study-photo"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [path.name for path in here.iterdir()] == ["study-photo"]
    rows = _rows(folder)
    assert [(row["design"], row["seed"]) for row in rows] == [
        ("relu", "0"),
        ("sine", "0"),
        ("relu", "1"),
        ("sine", "1"),
    ]
    verdict = json.loads((folder / "verdicts.json").read_text())[0]
    assert (verdict["design"], verdict["baseline"], verdict["n"]) == ("sine", "relu", 2)
    assert len(list((folder / "networks").iterdir())) == 4
    lines = outcome.out.splitlines()
    assert lines[0].startswith("2 designs × 2 seeds on photo: 4 runs, 10 steps each, about ")
    assert "  reduced from 20×16 to 16×13 by area" in lines
    assert "report  study-photo/report.html" in lines
    assert "again   penchant run study-photo/study.toml --out study-photo-again" in lines
    assert outcome.err.splitlines()[0] == "runs: 4 to do"
    assert outcome.err.splitlines()[-1].startswith("runs: 4/4, sine with seed 1: ")


def test_the_same_command_again_shows_it_again(penchant: Command, here: Path, photo: Path) -> None:
    first = penchant("compare", photo, *TWO, *TINY)
    csv_before = Path("study-photo/results.csv").read_bytes()
    second = penchant("compare", photo, *TWO, *TINY)
    third = penchant("run", "study-photo/study.toml")
    assert second.code == third.code == 0
    assert second.out.splitlines()[0] == "2 designs × 2 seeds on photo: all is done already."
    assert second.err == third.err == ""
    found = first.out.partition("\n\n")[2]
    assert "relu" in found
    assert second.out.partition("\n\n")[2] == found == third.out.partition("\n\n")[2]
    assert Path("study-photo/results.csv").read_bytes() == csv_before


def test_run_does_a_study_again_elsewhere(penchant: Command, here: Path, photo: Path) -> None:
    penchant("compare", photo, *TWO, *TINY)
    again = penchant("run", "study-photo/study.toml", "--out", "again", "--jobs", "1")
    assert again.code == 0

    def numbers(folder: str) -> list[dict[str, str]]:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in _rows(folder)]

    assert numbers("again") == numbers("study-photo")


def test_fresh_overwrites_another_study(penchant: Command, here: Path, photo: Path) -> None:
    penchant("compare", photo, *TWO, *TINY)
    other = ("compare", photo, "--vary", "activation=gelu,finer", *TINY, "--out", "study-photo")
    assert penchant(*other).code == 2
    assert "relu" in Path("study-photo/results.csv").read_text()
    assert penchant(*other, "--fresh").code == 0
    assert "relu" not in Path("study-photo/results.csv").read_text()


def test_options_reach_the_plan(penchant: Command, here: Path, photo: Path) -> None:
    outcome = penchant(
        *("compare", photo, "--vary", "activation=relu,gelu", "--vary", "width=8,12"),
        *("--design", "activation=sine,encoding=none,width=8", "--baseline", "gelu width=8"),
        *("--seeds", 2, "--steps", 10, "--size", 16, "--tune", 1, "--batch", 50, "--jobs", 1),
        *("--match", "width", "--held-out", "checkerboard", "--metric", "ssim_seen"),
        *("--margin", "0.02", "--out", "deep/er"),
    )
    assert outcome.code == 0, outcome.err
    plan = tomllib.loads(Path("deep/er/study.toml").read_text())
    assert plan["vary"] == {"activation": ["relu", "gelu"], "width": ["8", "12"]}
    assert plan["designs"] == [{"activation": "sine", "encoding": "none", "width": "8"}]
    given = {"seeds": 2, "steps": 10, "size": 16, "tune": 1, "batch": 50, "margin": 0.02}
    given |= {"baseline": "gelu width=8", "held_out": "checkerboard", "metric": "ssim_seen"}
    assert {name: plan[name] for name in given} == given
    assert "5 designs × 2 seeds on photo: 10 runs after 5 pilots" in outcome.out


def test_a_folder_is_a_study_over_signals(penchant: Command, here: Path) -> None:
    Path("cats").mkdir()
    for seed, name in enumerate(("tom", "kitty")):
        draw(Path("cats", f"{name}.png"), seed)
    outcome = penchant("compare", "cats", *TWO, *TINY)
    assert outcome.code == 0
    assert outcome.out.startswith("2 designs × 2 seeds on 2 signals: 8 runs")
    assert {row["signal"] for row in _rows("study-cats")} == {"tom", "kitty"}


def test_default_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cats").mkdir()
    cases = {
        (): "study-built-in",
        ("cats",): "study-cats",
        ("cats/",): "study-cats",
        ("tom.png",): "study-tom",
        ("cats/tom.png",): "study-tom",
        ("cats/tom.png", "cats/kitty.png"): "study-cats",
        ("digits",): "study-digits",
        ("./digits",): "study-digits",
        ("fashion-mnist",): "study-fashion-mnist",
        ("data/cells.npz",): "study-cells",
    }
    for signals, folder in cases.items():
        assert default_folder(list(signals)) == Path(folder)


def test_dry_run_shows_the_plan_and_writes_nothing(
    penchant: Command, here: Path, photo: Path, golden: Callable[[str, str], None]
) -> None:
    outcome = penchant(
        *("compare", photo, "--size", 16, "--tune", 2, "--held-out", "random:0.25", "--dry-run"),
        *("--jobs", 2),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert list(here.iterdir()) == []
    golden("plan.txt", re.sub(r"about [\d.]+ (s|min).*? with", "about TIME with", outcome.out))


def test_dry_run_of_a_file(penchant: Command, here: Path, photo: Path) -> None:
    Path("study.toml").write_text(f'signals = ["{photo}"]\nseeds = 3\nsize = 16\nsteps = 10\n')
    outcome = penchant("run", "study.toml", "--dry-run")
    assert outcome.code == 0
    assert "6 designs × 3 seeds on photo" in outcome.out
    assert [path.name for path in here.iterdir()] == ["study.toml"]


def test_an_own_activation_takes_part(penchant: Command, here: Path, photo: Path) -> None:
    Path("mine.py").write_text("import torch\ndef Snake(x): return x + torch.sin(x) ** 2\n")
    outcome = penchant("compare", photo, "--vary", "activation=relu,mine.py:Snake", *TINY)
    assert outcome.code == 0
    assert "Snake" in outcome.out
    shutil.rmtree("study-photo/networks")  # a network is written again from study.db
    assert penchant("run", "study-photo/study.toml").code == 0
    network = "study-photo/networks/Snake--seed0.safetensors"
    assert penchant("render", network, "-o", "a.png").code == 2
    rendered = penchant("render", network, "-o", "a.png", "--activation", "mine.py:Snake")
    assert rendered.code == 0


# Labelled data


DATA = ("--steps", 12, "--seeds", 2, "--tune", 0, "--jobs", 1)


def test_a_study_of_labelled_data(penchant: Command, here: Path) -> None:
    outcome = penchant("compare", "digits", "--vary", "divergence=kl,l2", "--target", 50, *DATA)
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in Path("study-digits").iterdir()) == FILES
    rows = _rows("study-digits")
    assert [row["design"] for row in rows] == ["relu+kl", "relu+l2"] * 2
    assert {row["divergence"] for row in rows} == {"kl", "l2"}
    assert all(0 <= float(row["accuracy_held_out"]) <= 100 for row in rows)
    assert all("steps_to_target" in row for row in rows)
    plan = tomllib.loads(Path("study-digits/study.toml").read_text())
    assert plan["signals"] == ["digits"] and plan["family"] == "dense" and plan["target"] == 50
    assert "2 designs × 2 seeds on digits: 4 runs, 12 steps each" in outcome.out
    again = penchant("run", "study-digits/study.toml", "--out", "again", "--jobs", "1")
    assert again.code == 0
    assert [row["accuracy_held_out"] for row in _rows("again")] == [
        row["accuracy_held_out"] for row in rows
    ]
    refused = penchant("render", "study-digits/networks/relu+kl--seed0.safetensors", "-o", "a.png")
    assert refused.code == 2 and "only those of signals are rendered" in refused.err


PAIRS = (
    *("--vary", "activation=relu,tanh", "--vary", "depth=1,2", "--baseline", "depth=1"),
    *("--metric", "accuracy_held_out", "--also", "gap_nll@nll_seen=1", "--also", "gradient_decay"),
    *("--probe", "gradients", "--judge", "each"),
)


def test_pairs_probes_and_each_signal_from_the_words_to_the_files(
    penchant: Command, here: Path
) -> None:
    outcome = penchant("compare", "digits", "breast-cancer", *PAIRS, *DATA, "--out", "study")
    assert outcome.code == 0
    plan = tomllib.loads(Path("study/study.toml").read_text())
    assert plan["baseline"] == "depth=1" and plan["judge"] == "each"
    assert plan["also"] == ["gap_nll@nll_seen=1", "gradient_decay"]
    assert plan["probes"] == ["gradients"]
    verdicts = json.loads(Path("study/verdicts.json").read_text())
    assert [(one["metric"], one["signal"], one["design"], one["baseline"]) for one in verdicts] == [
        (metric, signal, f"{activation} depth=2", f"{activation} depth=1")
        for metric in ("accuracy_held_out", "gap_nll@nll_seen=1", "gradient_decay")
        for signal in ("digits", "breast-cancer")
        for activation in ("relu", "tanh")
    ]
    said = " ".join(outcome.out.split())
    for one in verdicts:  # signals are headings, metrics have names
        text = one["sentence"].removeprefix(f"On {one['signal']}, ").replace("neither", "Neither")
        assert text.replace("nll_seen", "training loss") in said
    row = next(row for row in _rows("study") if row["design"] == "relu depth=2")
    assert float(row["gradient_decay_start"]) > 0 and "gap_nll@nll_seen=1" in row
    again = penchant("run", "study/study.toml", "--out", "again", "--jobs", "1")
    assert again.code == 0
    assert json.loads(Path("again/verdicts.json").read_text()) == verdicts


def test_dry_run_names_each_pair(
    penchant: Command, here: Path, golden: Callable[[str, str], None]
) -> None:
    outcome = penchant("compare", "digits", *PAIRS, "--augment", "shift:1", "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    text = re.sub(r"about [\d.]+ (s|min|h).*? with \d+ jobs?", "about TIME", outcome.out)
    golden("plan-pairs.txt", text)


def test_dry_run_of_labelled_data(
    penchant: Command, here: Path, golden: Callable[[str, str], None]
) -> None:
    options = ("--target", 90, "--match", "parameters", "--tune", 2, "--jobs", 2, "--dry-run")
    outcome = penchant("compare", "digits", *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert list(here.iterdir()) == []
    text = re.sub(r"about [\d.]+ (s|min).*? with", "about TIME with", outcome.out)
    golden("plan-digits.txt", text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("digits", "PHOTO"), ["digits is labelled data and", "photo.png is a picture"]),
        (("PHOTO", "digits"), ["digits is labelled data and", "photo.png is a picture"]),
        (("digits", "--noise", "0.1"), ["noise=0.1", "digits is labelled data"]),
        (("PHOTO", "--noise", "2"), ["noise=2"]),
        (("digits", "--held-out", "none"), ["held-out 'none'", "test"]),
        (("digits", "--vary", "divergence=binary_kl"), ["divergence='binary_kl'"]),
        (("digits", "--vary", "divergence=kl", "--vary", "link=identity"), ["link='identity'"]),
        (("PHOTO", "--vary", "divergence=kl", "--vary", "link=identity"), ["link='identity'"]),
        (("digits", "--vary", "encoding=nerf"), ["'encoding' is unknown to dense networks"]),
        (("digits", "--metric", "psnr_seen"), ["metric='psnr_seen' is unknown"]),
        (("digits", "--metric", "ece_seen", "--target", "90"), ["scored at the end"]),
        (("digits", "--target", "nan"), ["target="]),
        (("digits", "--judge", "all"), ["judge='all'"]),
        (("digits", "--probe", "gradient"), ["probes.0='gradient'", "'gradients' or 'blocks'"]),
        (("digits", "--also", "gradient_decay"), ["add probes=gradients"]),
        (("digits", "--also", "accuracy_held_out"), ["is judged already"]),
        (("digits", "--metric", "gap_nll@nll_seen"), ["metric@watched=value"]),
        (("digits", "--baseline", "depth=7"), ["baseline='depth=7' is not in the plan"]),
        (("PHOTO", "--augment", "flip"), ["augment='flip'", "photo is a picture"]),
        (("nothing.npz",), ["nothing.npz"]),
    ],
)
def test_what_does_not_fit_is_one_line_and_makes_no_file(
    penchant: Command, here: Path, photo: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    named = [photo if argument == "PHOTO" else argument for argument in arguments]
    outcome = penchant("compare", *named, *DATA)
    assert outcome.code == 2 and outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert all(word in outcome.err for word in words), outcome.err
    assert list(here.iterdir()) == []
