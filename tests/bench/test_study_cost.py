import re
import subprocess
import sys
from pathlib import Path

import study_cost
from torch import Tensor
from turns import Sides


def test_the_loop_is_the_study_that_compare_does_when_told_nothing() -> None:
    program = Path(sys.executable).with_name("penchant")
    command = [str(program), "compare", "--tune", "0", "--dry-run"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{len(study_cost.DESIGNS)} designs × {study_cost.SEEDS} seeds" in said
    assert f"{study_cost.STEPS} steps of up to {study_cost.BATCH:,} samples" in said
    assert f"{study_cost.SIZE}×{study_cost.SIZE}" in said
    labels = re.findall(rf"(\S+) +3 layers of {study_cost.WIDTH},", said)
    assert labels == list(study_cost.DESIGNS)


def test_the_loop_trains_each_network_on_half_of_the_pixels(monkeypatch) -> None:
    seen = []

    def summed(found: Tensor, wanted: Tensor) -> Tensor:
        assert found.shape == wanted.shape
        seen.append(tuple(found.shape))
        return found.sum()

    monkeypatch.setattr(study_cost.F, "mse_loss", summed)
    monkeypatch.setattr(study_cost, "WIDTH", 4)
    study_cost.by_loop(seeds=1, steps=2, size=8)
    assert seen == [(32, 3)] * 2 * len(study_cost.DESIGNS)


def test_the_table_says_what_is_left_at_as_many_samples(monkeypatch) -> None:
    monkeypatch.setattr(study_cost, "interleaved", lambda *_, **__: Sides([[100.0, 10.0, 5.0]]))
    monkeypatch.setattr(study_cost, "DESIGNS", {"sine": 2 * study_cost.STEPS})
    one, two = study_cost.table().splitlines()[-2:]
    assert [cell.strip() for cell in one.split("|")[3:-1]] == ["10.0×", "2.5×", "20.0×", "1.00×"]
    assert [cell.strip() for cell in two.split("|")[3:-1]] == ["20.0×", "5.0×", "40.0×", "2.00×"]
