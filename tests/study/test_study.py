"""Studies end to end, tiny: pilots, pairing, verdicts, warnings, and every kind of signal."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

import penchant as pn
from penchant.errors import PenchantError
from penchant.study import Finished, Progress, Results, Study
from penchant.study._plan import PILOT_SEED
from penchant.tasks import Picture, PictureTask

Tiny = Callable[..., Study]
Waves = Callable[..., Picture]


def numbers(results: Results) -> str:
    """Everything that two ways of running the same study must agree on."""
    runs = [
        replace(run, seconds=0.0, curve=tuple(replace(m, seconds=0.0) for m in run.curve))
        for run in results.runs
    ]
    pictures = [r.values.tobytes() for r in results.reconstructions]
    return repr((runs, results.pilots, results.verdicts, results.warnings, results.plan, pictures))


# The same numbers however it is run


def test_one_job_and_two_give_the_same(tiny: Tiny) -> None:
    words = {"tune": 2, "vary": {"activation": ["relu", "sine", "wire"]}}
    assert numbers(tiny(**words).run(jobs=1)) == numbers(tiny(**words).run(jobs=2))


def test_results_of_a_finished_folder_are_runs(tiny: Tiny, tmp_path: Path) -> None:
    study = tiny(out=tmp_path, tune=2)
    ran = study.run()
    read = tiny(out=tmp_path, tune=2).results()
    assert repr(read) == repr(ran)
    events: list[object] = []
    again = tiny(out=tmp_path, tune=2).run(on_event=events.append)
    assert repr(again) == repr(ran) and events == [], "nothing is done twice"


def test_without_a_folder_nothing_is_kept(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = tiny()
    results = study.run()
    assert results.folder is None and list(tmp_path.iterdir()) == []
    assert study.remaining() == 4
    with pytest.raises(PenchantError, match="there is no study in None"):
        study.results()


def test_events_tell_of_each_run(tiny: Tiny) -> None:
    events: list = []
    study = tiny(tune=2)
    study.run(on_event=events.append)
    done = [event.job for event in events if isinstance(event, Finished)]
    assert len(done) == len(study.jobs) == 2 * 2 + 2 * 2
    assert [job.validation for job in done] == [True] * 4 + [False] * 4
    for job in done:
        looks = [e.step for e in events if isinstance(e, Progress) and e.job == job]
        assert looks == sorted(looks) and looks[0] == 0


def test_jobs_must_be_positive(tiny: Tiny) -> None:
    with pytest.raises(PenchantError, match="jobs=0"):
        tiny().run(jobs=0)


def test_added_seeds_keep_the_old_runs(tiny: Tiny) -> None:
    """A run does not know how many others there are."""
    few, many = tiny(seeds=2).run(), tiny(seeds=3).run()
    ids = [run.id for run in many.runs]
    assert [run.id for run in few.runs] == ids[:4]
    assert [r.metrics for r in few.runs] == [r.metrics for r in many.runs[:4]]


# Pilots


def test_pilots_are_fair(tiny: Tiny, waves: Waves, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, bool]] = []
    split = PictureTask.split

    def watched(self: PictureTask, seed: int, *, validation: bool = False) -> object:
        asked.append((seed, validation))
        return split(self, seed, validation=validation)

    monkeypatch.setattr(PictureTask, "split", watched)
    results = tiny(
        tune=3, vary={"activation": ["relu", "sine"], "encoding": ["none", "fourier"]}
    ).run()
    assert {s for s, v in asked if v} == {PILOT_SEED} and PILOT_SEED not in {
        s for s, v in asked if not v
    }
    for label in results.designs:
        mine = [pilot for pilot in results.pilots if pilot.design == label]
        assert len(mine) == 3
        (chosen,) = [pilot for pilot in mine if pilot.chosen]
        assert chosen.score == max(pilot.score for pilot in mine)
        for run in results.runs:
            if run.design == label:
                assert run.settings == chosen.settings


def test_pilots_see_no_held_out_sample(waves: Waves) -> None:
    task = PictureTask(waves(), "random:0.5")
    pilot, run = task.split(PILOT_SEED, validation=True), task.split(PILOT_SEED)
    assert not set(pilot.seen) & set(pilot.held_out)
    assert set(pilot.seen) | set(pilot.held_out) == set(run.seen)
    assert not set(pilot.held_out) & set(run.held_out)


def test_design_with_nothing_to_tune_gets_no_pilots(tiny: Tiny) -> None:
    results = tiny(tune=2, vary={}, designs=[{"learning_rate": 0.01}, {"activation": "tanh"}]).run()
    assert [pilot.design for pilot in results.pilots] == ["tanh", "tanh"]
    assert results.runs[0].settings["learning_rate"] == 0.01


# Verdicts


def test_pairs_are_seeds_on_one_signal(tiny: Tiny) -> None:
    results = tiny(seeds=3).run()
    (verdict,) = results.verdicts
    score = {(run.design, run.seed): run.metrics["psnr_held_out"] for run in results.runs}
    assert verdict.n == 3 and verdict.verdict == "descriptive"
    assert verdict.mean_difference == pytest.approx(
        fmean(score["sine", seed] - score["relu", seed] for seed in range(3))
    )


def test_pairs_are_signals_on_several(tiny: Tiny, waves: Waves) -> None:
    signals = [waves("a"), waves("b", phase=2.0)]
    results = tiny(signals, seeds=3).run()
    (verdict,) = results.verdicts
    assert verdict.n == 2 and len(results.runs) == 2 * 3 * 2
    score = {(r.signal, r.design, r.seed): r.metrics["psnr_held_out"] for r in results.runs}
    gains = [
        fmean(score[name, "sine", seed] - score[name, "relu", seed] for seed in range(3))
        for name in ("a", "b")
    ]
    assert verdict.mean_difference == pytest.approx(fmean(gains))
    assert verdict.effect == pytest.approx(fmean(gains) / np.std(gains, ddof=1))
    assert list(results.to_pandas()["signal"]) == [run.signal for run in results.runs]


def test_signals_do_not_disturb_each_other(tiny: Tiny, waves: Waves) -> None:
    both = tiny([waves("a"), waves("b", phase=2.0)], tune=2).run()
    alone = tiny(waves("b", phase=2.0), tune=2).run()
    assert [r.metrics for r in both.runs if r.signal == "b"] == [r.metrics for r in alone.runs]


@pytest.mark.parametrize("metric", ["psnr_held_out", "psnr_seen", "ssim_held_out", "ssim_seen"])
def test_metric_of_the_plan_is_judged(tiny: Tiny, metric: str) -> None:
    results = tiny(metric=metric, margin=0.25, tune=2 if metric.startswith("psnr") else 0).run()
    (verdict,) = results.verdicts
    assert verdict.metric == results.metric == metric and results.plan["margin"] == 0.25
    frame = results.to_pandas().pivot(index="seed", columns="design", values=metric)
    assert verdict.mean_difference == pytest.approx((frame["sine"] - frame["relu"]).mean())


def test_held_out_none_scores_seen(tiny: Tiny) -> None:
    results = tiny(held_out="none", tune=2).run()
    assert results.metric == "psnr_seen" and results.verdicts[0].metric == "psnr_seen"
    assert set(results.runs[0].metrics) == {"psnr_seen", "ssim_seen"}
    assert all(np.isfinite(pilot.score) for pilot in results.pilots)


def test_unknown_metric_names_the_nearest(tiny: Tiny) -> None:
    with pytest.raises(PenchantError, match=r"metric='psnr_sen' .* did you mean 'psnr_seen'"):
        tiny(metric="psnr_sen")
    with pytest.raises(PenchantError, match="metric='psnr_held_out' is unknown"):
        tiny(metric="psnr_held_out", held_out="none")


def test_baseline_is_the_plans(tiny: Tiny) -> None:
    results = tiny(vary={"activation": ["relu", "sine", "tanh"]}, baseline="sine").run()
    assert [(v.design, v.baseline) for v in results.verdicts] == [
        ("relu", "sine"),
        ("tanh", "sine"),
    ]
    assert results.plan["baseline"] == "sine"


def test_diverged_runs_are_counted_in_the_open(tiny: Tiny) -> None:
    results = tiny(vary={}, designs=[{}, {"activation": "elu", "learning_rate": 1e30}]).run()
    broken = [run for run in results.runs if run.design == "elu"]
    assert [run.status for run in broken] == ["diverged", "diverged"]
    (verdict,) = results.verdicts
    assert "2 runs diverged" in verdict.flag
    assert any("elu: 2 of 2 runs diverged" in warning for warning in results.warnings)
    frame = results.to_pandas()
    assert list(frame[frame["status"] == "diverged"]["design"]) == ["elu", "elu"]
    assert np.isfinite(frame["psnr_held_out"]).all()


# Warnings


def warned(study: Study) -> str:
    found = study.run().warnings
    references = "fitted in closed form", "JPEG"  # see test_references.py
    return "\n".join(text for text in found if not any(one in text for one in references))


def test_nothing_to_warn_of(tiny: Tiny) -> None:
    assert warned(tiny(tune=2, designs=[{"activation": "relu"}, {"activation": "tanh"}])) == ""


def test_warns_of_more_parameters_than_half_the_seen_values(tiny: Tiny) -> None:
    text = warned(tiny(designs=[{"width": 64}], tune=1))
    assert "relu has 8,707 parameters, more than half the 384 seen values" in text


def test_warns_of_unequal_parameters(tiny: Tiny) -> None:
    text = warned(tiny(vary={"encoding": ["none", "nerf"]}, tune=1))
    assert "Parameters are not equal" in text and "match=parameters" in text
    assert "not equal" not in warned(tiny(tune=1))


def test_warns_of_frequencies_above_the_sampling_limit(tiny: Tiny) -> None:
    # 16 pixels on [-1, 1] sample up to 4 cycles per unit.
    text = warned(tiny(designs=[{"activation": "sine", "scale": 60}, {"activation": "relu"}]))
    assert "sine: scale 60" in text and "sampling limit of 4" in text
    assert "sampling limit" not in warned(tiny(designs=[{"activation": "sine", "scale": 20}]))
    text = warned(tiny(designs=[{"encoding": "nerf", "frequencies": 8}]))
    assert "relu+nerf: the encoding reaches 32 cycles" in text


def test_warns_of_the_scale_that_pilots_chose(tiny: Tiny) -> None:
    study = tiny(designs=[{"activation": "sine"}], tune=8, steps=2)
    results = study.run()
    (chosen,) = {run.settings["scale"] for run in results.runs}
    above = chosen * np.sqrt(2) / 2 / (2 * np.pi) > 4
    assert above == any("sampling limit" in warning for warning in results.warnings)


def test_warns_of_untuned_and_of_given_rates(tiny: Tiny) -> None:
    assert "No pilots" in warned(tiny())
    text = warned(tiny(tune=1, designs=[{"learning_rate": 0.01}, {"activation": "tanh"}]))
    assert "The learning rate of relu was given" in text and "No pilots" not in text
    given = [{"learning_rate": 0.01}, {"activation": "tanh", "learning_rate": 0.01}]
    assert "learning rate" not in warned(tiny(designs=given)).lower()


# Signals


def test_every_way_to_give_the_same_picture(tiny: Tiny, photo: Path, waves: Waves) -> None:
    values = np.asarray(Image.open(photo), np.float32) / 255
    ways = [photo, str(photo), photo.parent, Picture("waves", values), values, [values],
            PictureTask(Picture("waves", values), "random:0.5")]  # fmt: skip
    tables = [tiny(way).run().to_pandas().drop(columns="seconds") for way in ways]
    assert all(table.equals(tables[0]) for table in tables[1:])


def test_grey_arrays_and_several(tiny: Tiny, waves: Waves) -> None:
    grey = waves(channels=1).values
    results = tiny([grey[..., 0], 1 - grey], seeds=1).run()
    assert results.plan["signals"] == ["array 1", "array 2"]
    assert {r.values.shape for r in results.reconstructions} == {(16, 16, 1)}


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.zeros((4, 4, 3), np.uint8) + 200, "within \\[0, 1\\]"),
        (np.full((4, 4), np.nan), "finite"),
        (np.zeros((4, 4, 2)), "1 or 3 channels"),
    ],
)
def test_array_that_is_no_picture(tiny: Tiny, values: np.ndarray, word: str) -> None:
    with pytest.raises(PenchantError, match=word):
        tiny(values)


def test_signals_need_names_of_their_own(tiny: Tiny, waves: Waves) -> None:
    with pytest.raises(PenchantError, match="two signals are called 'waves'"):
        tiny([waves(), waves(phase=1.0)])
    with pytest.raises(PenchantError, match="no signal is given"):
        tiny([])


def test_missing_picture_makes_no_folder(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match=r"nowhere\.png"):
        tiny(tmp_path / "nowhere.png", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_size_reduces_the_picture(tiny: Tiny, photo: Path) -> None:
    results = tiny(photo, size=8).run()
    assert results.reconstructions[0].values.shape == (8, 8, 3)
    assert any("16×16 to 8×8" in notice for notice in results.plan["notices"])


# Reading back


def test_reconstructions_are_the_first_seeds(tiny: Tiny) -> None:
    results = tiny().run()
    original, *answers = results.reconstructions
    assert (original.design, [r.design for r in answers]) == ("", ["relu", "sine"])
    split = PictureTask(Picture("waves", original.values), "random:0.5").split(0)
    held_out = np.zeros(256, bool)
    held_out[split.held_out] = True
    for answer in answers:
        error = (answer.values - original.values).reshape(256, 3)[held_out]
        (run,) = [r for r in results.runs if r.design == answer.design and r.seed == 0]
        psnr = -10 * np.log10(np.mean(np.square(error, dtype=np.float64)))
        assert run.metrics["psnr_held_out"] == pytest.approx(psnr, abs=1e-4)


def test_unfinished_study_says_what_is_missing(tiny: Tiny, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop_at_third(event: object) -> None:
        finished.append(event)
        if sum(isinstance(e, Finished) for e in finished) == 3:
            raise Stop

    finished: list = []
    study = tiny(out=tmp_path, tune=2)
    with pytest.raises(Stop):
        study.run(on_event=stop_at_third)
    assert study.remaining() == len(study.jobs) - 3
    with pytest.raises(PenchantError, match="runs are missing; run it again"):
        study.results()
    assert numbers(study.run()) == numbers(tiny(tune=2).run())
    assert study.remaining() == 0


def test_another_version_of_the_numbers_runs_anew(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(out=tmp_path).run()
    monkeypatch.setattr("penchant.study._jobs.NUMERICS", 10**6)
    assert tiny(out=tmp_path).remaining() == 4


def test_public_face_and_notebook(tiny: Tiny) -> None:
    study = tiny()
    assert pn.Study is Study
    html = study._repr_html_()
    assert "relu" in html and "2 seeds" in html
