"""Activations of one's own, by path: they take part, and their content names their runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from penchant.errors import PenchantError
from penchant.study import CoordinateDesign, Job, Study, design
from penchant.tasks import Picture, PictureTask


@pytest.mark.parametrize("name", ["Snake", "wiggle"])
def test_takes_part_in_a_study(mine: Path, waves: Callable[..., Picture], name: str) -> None:
    own = f"{mine}:{name}"
    study = Study(waves(), vary={"activation": ["relu", own]}, seeds=1, steps=5, tune=2)
    results = study.run()
    assert results.designs == ("relu", name)
    assert {run.design: run.status for run in results.runs} == {"relu": "done", name: "done"}
    assert [p.design for p in results.pilots].count(name) == 2


def test_learnable_parameter_is_learned(mine: Path, waves: Callable[..., Picture]) -> None:
    one = CoordinateDesign(activation=f"{mine}:Snake", width=8).resolved()
    network = one.build((2,), 3, seed=0)
    names = [name for name, _ in network.named_parameters() if name.endswith("function.a")]
    assert len(names) == one.depth, "each layer learns its own"
    study = Study(waves(), designs=[{"activation": f"{mine}:Snake"}], seeds=1, steps=5, tune=0)
    (job,) = study.jobs
    from safetensors.torch import load

    from penchant.study._jobs import perform

    *_, finished = perform(job, study.tasks[0])
    tensors = load(finished.network)
    assert all(not torch.equal(tensors[name], torch.tensor(2.0)) for name in names)


def test_id_follows_the_content_not_the_place(mine: Path, waves: Callable[..., Picture]) -> None:
    data = PictureTask(waves()).fingerprint
    settings = CoordinateDesign(activation=f"{mine}:Snake", width=8).resolved()
    job = Job(0, "waves", "Snake", settings, 0, 5, 64, "psnr_seen")
    before = job.id(data)
    moved = mine.parent / "elsewhere" / "other.py"
    moved.parent.mkdir()
    mine.rename(moved)
    there = replace(job, settings=settings.replaced(activation=f"{moved}:Snake"))
    assert there.id(data) == before
    assert (
        replace(there, settings=settings.replaced(activation=f"{moved}:wiggle")).id(data) != before
    )
    moved.write_text(moved.read_text().replace("2.0", "2.5"))
    assert there.id(data) != before


def test_edited_file_is_read_anew(mine: Path) -> None:
    one = CoordinateDesign(activation=f"{mine}:wiggle")
    before = one.make_activation()(torch.ones(1))
    mine.write_text(mine.read_text().replace("3 * x", "4 * x"))
    assert not torch.equal(one.make_activation()(torch.ones(1)), before)


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (None, "Snake", ["there is no file", "mine.py"]),
        ("def (", "Snake", ["mine.py fails", "SyntaxError"]),
        ("raise ValueError('two\\nlines')", "Snake", ["mine.py fails", "ValueError: two lines"]),
        ("import sys; sys.exit(3)", "Snake", ["mine.py fails", "SystemExit"]),
        ("\udcff", "Snake", ["mine.py fails", "Unicode"]),
        ("Snake = abs", "Snaek", ["has no 'Snaek'", "did you mean 'Snake'"]),
        ("Snake = 3", "Snake", ["needs a name, an nn.Module or a function"]),
        ("def Snake(x): return x.sum()", "Snake", ["number by number"]),
        ("def Snake(x): raise RuntimeError('no')", "Snake", ["no"]),
        ("class Snake: pass", "Snake", ["nn.Module"]),
    ],
)  # fmt: skip
def test_failure_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    waves: Callable[..., Picture],
    content: str | None,
    name: str,
    words: list[str],
) -> None:
    path, out = tmp_path / "mine.py", tmp_path / "study"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(PenchantError) as caught:
        Study(waves(), out=out, vary={"activation": ["relu", f"{path}:{name}"]})
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not out.exists()


def test_other_numbers_than_scale_are_refused(mine: Path) -> None:
    with pytest.raises(PenchantError, match="no such number"):
        design({"activation": f"{mine}:Snake", "k": 1})
