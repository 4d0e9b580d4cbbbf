"""What the guard lets pass and what it names."""

import json
from pathlib import Path

import guard
import pytest
import torch
from guard import PAIRS, STORED, TOLERANCE, Pair, check, judge, main


def test_a_ratio_within_the_tolerance_passes_and_one_beyond_it_is_named() -> None:
    assert judge("x", 0.99 * (1 + TOLERANCE), 1.0)[0]
    passed, words = judge("x", 1.01 * (1 + TOLERANCE), 1.0)
    assert not passed and "SLOWER" in words and words.startswith("x: ")
    assert judge("x", 0.5, 1.0) == (
        True,
        "x: 0.500, stored 1.000, -50% (quicker: --store keeps it)",
    )
    assert judge("x", 0.5, None)[0]


class Ratios(Pair):
    """Answers with given ratios, one after the other."""

    def __init__(self, *ratios: float) -> None:
        super().__init__(lambda: None, lambda: None)
        object.__setattr__(self, "given", list(ratios))
        object.__setattr__(self, "turns", [])

    def ratio(self, turns: int) -> tuple[float, float]:
        self.turns.append(turns)  # type: ignore[attr-defined]
        return self.given.pop(0), 0.01  # type: ignore[attr-defined]


def test_what_seems_slower_is_measured_again_before_it_is_named() -> None:
    pairs = {"chance": Ratios(2.0, 1.0), "slower": Ratios(2.0, 1.9), "fine": Ratios(1.1)}
    stored = dict.fromkeys(pairs, 1.0)
    ratios, slower = check({name: lambda p=pair: p for name, pair in pairs.items()}, stored, 4)  # type: ignore[misc]
    assert slower == ["slower"]
    assert ratios == {"chance": 1.0, "slower": 1.9, "fine": 1.1}
    assert pairs["chance"].turns == [4, 12] and pairs["fine"].turns == [4]  # type: ignore[attr-defined]


def test_the_command_stores_then_passes_then_fails_with_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "STORED", tmp_path / "guard.json")
    ratio = 0.5
    monkeypatch.setattr(guard, "PAIRS", {"blocks": lambda: Ratios(ratio, ratio)})
    assert main(["--store"]) == 0
    assert json.loads((tmp_path / "guard.json").read_text())["ratios"] == {"blocks": 0.5}
    assert main([]) == 0
    ratio = 0.7
    capsys.readouterr()
    assert main([]) == 1
    assert "Slower than stored in guard.json: blocks." in capsys.readouterr().out
    kept = json.loads((tmp_path / "guard.json").read_text())
    (tmp_path / "guard.json").write_text(json.dumps({**kept, "processor": "another"}))
    main([])
    assert "Stored on another; this is" in capsys.readouterr().out


def test_the_stored_file_has_every_pair() -> None:
    assert list(json.loads(STORED.read_text(encoding="utf-8"))["ratios"]) == list(PAIRS)


def test_a_pairs_ratio_is_ours_over_the_reference() -> None:
    middle, spread = Pair(lambda: sum(range(60_000)), lambda: sum(range(10_000))).ratio(5)
    assert middle > 2 and spread >= 0


@pytest.mark.parametrize("name", PAIRS)
def test_both_sides_of_a_pair_do_the_same_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.divergence_cost, "keep_memory", lambda: None)  # for the other tests
    pair = PAIRS[name]()
    ours, reference = pair.ours(), pair.reference()
    if isinstance(ours, torch.Tensor):
        assert isinstance(reference, torch.Tensor)
        torch.testing.assert_close(ours[0].T, reference, rtol=1e-4, atol=1e-5)
