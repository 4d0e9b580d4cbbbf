"""The claims on shared parameters: run, judged on made-up evidence, and on planted faults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from claims.conftest import Smoke
from claims.made_up import pair, study

from penchant.claims import NotRun, Setting, find
from penchant.claims import _scanning_checks as scanning
from penchant.claims import _time_delay as time_delay
from penchant.nn import Streaming

(SECTION,) = find(["scan-equals-conv", "scan-parameters", "tdnn", "gradient-routing",
                   "output-shape"])  # fmt: skip
CLAIMS = {claim.id: claim for claim in SECTION.claims}
STATEMENTS = {f"{id}/{one.name}": one for id, claim in CLAIMS.items() for one in claim.statements}
MEASURED = {name: one for name, one in STATEMENTS.items() if one.kind == "measured"}


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting("smoke", tmp_path)


def test_what_the_notes_say_holds_where_it_is_exact(smoke: Smoke) -> None:
    assert {smoke[id].verdict for id in CLAIMS} == {"holds"}


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["worse", "worse"], "holds"),
        (["worse", "inconclusive"], "holds under conditions"),
        (["better", "equivalent"], "fails as written"),
        (["inconclusive", "inconclusive"], "undecided"),
    ],
)
def test_sharing_is_judged_by_its_own_metric(name: str, words: list[str], expected: str) -> None:
    shifted = name.endswith("/shifted")
    metrics = "accuracy_held_out", "accuracy_shifted_held_out"
    mine, other = reversed(metrics) if shifted else metrics
    pairs = [
        pair(word, metric=mine, design=design, facts={"sharing": design})
        for design, word in zip(("unshared", "dense"), words, strict=True)
    ]
    pairs += [pair("better", metric=other, design=one) for one in ("unshared", "dense")]
    ruling = MEASURED[name].rule.judge({"studies": [study(pairs)]})
    assert ruling.word == expected
    if expected == "holds under conditions":
        assert [one["sharing"] for one in ruling.conditions] == ["unshared"]


def test_the_example_is_counted(smoke: Smoke) -> None:
    evidence = smoke["scan-parameters"].found["counts"].evidence
    assert evidence is not None
    assert evidence["example"] == {"dense": 260, "unshared": 116, "shared": 53}


def test_four_filters_receive_what_is_written_out(smoke: Smoke) -> None:
    evidence = smoke["gradient-routing"].found["weights"].evidence
    assert evidence is not None
    example = evidence["example"]
    assert example["at_the_sum"] == [example["upstream"]] * 4
    assert example["at_the_filters"] == [2.0 * weight for weight in example["weights"]]


def _worst(evidence: Mapping[str, Any]) -> float:
    return max(check["error"] for check in evidence["checks"])


def test_a_wrong_cnn_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    right = scanning.ScanningMLP.to_conv

    def wrong(self: Any, **given: Any) -> Any:
        network = right(self, **given)
        with torch.no_grad():
            network[-1].bias[0] += 1e-6
        return network

    monkeypatch.setattr(scanning.ScanningMLP, "to_conv", wrong)
    assert _worst(scanning.same_outputs(setting)) > 1e-7


def test_a_wrong_stream_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Streaming._given
    monkeypatch.setattr(Streaming, "_given", lambda self, parts: right(self, parts) + 1e-6)
    assert _worst(time_delay.streams(setting)) > 1e-7


def test_recordings_are_needed_beyond_smoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_DATA", str(tmp_path))
    gather = STATEMENTS["tdnn/shifted"].gather
    with pytest.raises(NotRun, match="set PENCHANT_DATA to a folder that has fsdd"):
        gather(Setting("quick", tmp_path))


def test_the_trained_network_is_asked_about_recordings(
    penchant_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_DATA", str(penchant_data))
    found = time_delay._recordings(3)
    if not found:
        pytest.skip("no real data: PENCHANT_DATA holds no fsdd/recordings")
    sound = torch.from_numpy(time_delay.load_recording(found[0]).samples).double()
    assert time_delay._heard(sound[:2000], 1) < 1e-12
    assert len({path.stem for path in found}) == 3
