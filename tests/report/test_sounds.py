"""Sounds on the page: what is drawn and played is what was reconstructed."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from penchant.report._report import page
from penchant.report._sounds import RANGE, sounds, spectrogram, wave
from penchant.study import Reconstruction, Results
from report.conftest import make_results

DESIGNS = ("relu", "sine")
RATE = 8000


def results(frames: int = 4000, channels: int = 1, rate: int = RATE, signals: int = 1) -> Results:
    """A study's results whose signals are sounds: tones, and tones with an error."""
    names = [f"sound {number}" for number in range(signals)]
    made = make_results(designs=DESIGNS, levels=(20.0, 30.0), signals=names)
    time = np.arange(frames)[:, None] / RATE
    truth = 0.8 * np.sin(2 * np.pi * 1000 * time * (1 + np.arange(channels)))
    shown = []
    for name in names:
        shown.append(Reconstruction(name, "", 0, truth, "sound", rate))
        for design, error in zip(DESIGNS, (0.5, 0.1), strict=True):
            shown.append(Reconstruction(name, design, 0, truth * (1 - error), "sound", rate))
    plan = {**made.plan, "noun": "sound"}
    return replace(made, plan=plan, reconstructions=tuple(shown))


def _decoded(address: str) -> bytes:
    return base64.b64decode(address.partition("base64,")[2])


@pytest.mark.parametrize("channels", [1, 2])
def test_players_play_the_reconstruction(channels: int) -> None:
    made = results(channels=channels)
    shown = sounds(made, DESIGNS, 10**7)
    assert shown.note == "" and shown.players
    (wall,) = shown.walls
    assert [panel.design for panel in wall.panels] == ["", *DESIGNS]
    for panel, kept in zip(wall.panels, made.reconstructions, strict=True):
        heard, rate = soundfile.read(io.BytesIO(_decoded(panel.audio)), always_2d=True)
        assert rate == RATE
        np.testing.assert_allclose(heard, kept.values, atol=2**-15)
    assert wall.panels[0].score == "" and "dB" in wall.panels[1].score


def test_a_long_sound_is_played_where_it_is_loudest() -> None:
    made = results(frames=150_000)
    for kept in made.reconstructions:
        kept.values[:90_000] *= 0.1
    (wall,) = sounds(made, DESIGNS, 10**7).walls
    heard, _ = soundfile.read(io.BytesIO(_decoded(wall.panels[0].audio)))
    assert len(heard) == 100_000
    assert "to hear from 6.25 s to 18.75 s" in wall.facts
    np.testing.assert_allclose(heard, made.reconstructions[0].values[50_000:, 0], atol=2**-15)


def test_less_room_less_to_hear() -> None:
    made = results(frames=150_000)
    whole = sounds(made, DESIGNS, 10**7)
    shorter = sounds(made, DESIGNS, 500_000)
    mute = sounds(made, DESIGNS, 100_000)
    drawn = sounds(made, DESIGNS, sum(len(panel.wave) for panel in mute.walls[0].panels))
    assert len(shorter.walls[0].panels[0].audio) < len(whole.walls[0].panels[0].audio)
    assert shorter.players and not mute.players
    assert all(panel.spectrogram for panel in mute.walls[0].panels)
    assert not any(panel.spectrogram for panel in drawn.walls[0].panels)
    assert sounds(made, DESIGNS, 0).note == "The sounds do not fit into this page."
    several = sounds(results(signals=4), DESIGNS, 60_000)
    assert len(several.walls) < 4 and "not shown" in several.note


@pytest.mark.parametrize("rate", [100, 500_000])
def test_rates_that_browsers_do_not_play(rate: int) -> None:
    shown = sounds(results(rate=rate), DESIGNS, 10**7)
    assert shown.walls and not shown.players


def test_a_wave_reaches_from_its_least_to_its_largest_sample() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 5000)
    path, columns = wave(samples)
    heights = [float(value) for value in re.findall(r"V(-?[\d.]+)H", path)]
    assert columns == 600 and len(heights) == 1200 - 1
    parts = np.split(samples, np.linspace(0, 5000, 601).astype(int)[1:-1])
    np.testing.assert_allclose(heights[:600], [-part.max() - 0.004 for part in parts], atol=6e-4)


def test_a_spectrogram_is_lightest_at_the_tone() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / RATE)
    image = Image.open(io.BytesIO(_decoded(spectrogram(tone, 0.5)))).convert("L")
    brightest = np.asarray(image, float).mean(axis=1).argmax()
    assert 1 - (brightest + 0.5) / image.size[1] == pytest.approx(1000 / 4000, abs=0.02)
    assert RANGE == 80


@pytest.mark.parametrize("values", [np.zeros((9, 1)), np.full((9, 1), np.nan), np.ones((2, 3))])
def test_what_is_hardly_a_sound_is_shown_all_the_same(values: np.ndarray) -> None:
    made = results()
    shown = tuple(replace(one, values=values.copy()) for one in made.reconstructions)
    (wall,) = sounds(replace(made, reconstructions=shown), DESIGNS, 10**7).walls
    assert len(wall.panels) == 3 and "nan" not in wall.panels[1].wave


def test_the_page_holds_them() -> None:
    text = page(results())
    assert text.count("<audio controls") == 3 and text.count('<figure class="sound">') == 3
    assert "media-src data:" in text and 'href="#sounds"' in text and 'id="pictures"' not in text
    assert "0.5 s at 8,000 Hz" in text
