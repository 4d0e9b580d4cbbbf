"""`penchant listen`: which digit is said in a recording, heard chunk by chunk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.errors import PenchantError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from penchant.tasks import Recording

EVERY = 0.1
"""Seconds of sound in a chunk, and so from one line to the next."""

SHORTEST, LONGEST = 0.1, 10.0
"""Seconds of a recording of one spoken digit, said slowly and with silence around it."""

QUIETEST = 1e-3
"""The peak below which a recording is silence: 60 dB below the loudest that there can be."""

SHOWN = 3
"""Digits on a line, the likeliest first."""


def listen(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDING",
            help="A .wav of one spoken English digit, 0.1 to 10 s; also flac, ogg or mp3.",
        ),
    ],
) -> None:
    """Hear a spoken digit as a stream, and print what it may be as more of it is heard."""
    import torch

    from penchant.listening import Listener
    from penchant.tasks import load_recording

    listener = Listener()
    sound = load_recording(recording, listener.rate, longest=LONGEST)
    _check(recording, sound)
    done = "".join(f", {notice}" for notice in sound.notices)
    typer.echo(f"{recording.name}: {sound.seconds:.2f} s at {listener.rate} Hz{done}")
    samples, step = torch.from_numpy(sound.samples), round(EVERY * listener.rate)
    for start in range(0, len(samples), step):
        chunk = samples[start : start + step]
        posteriors = listener.hear(chunk)
        if len(posteriors):
            heard = (start + len(chunk)) / listener.rate
            typer.echo(f"{heard:5.2f} s  {_likeliest(posteriors[-1])}")
    final = listener.finish()[-1]
    typer.echo(f"    end  {_likeliest(final)}")
    best = int(final.argmax())
    typer.echo(f"{best} ({listener.classes[best]}), probability {float(final[best]):.3f}")
    typer.echo(
        f"As a stream: the first answer after {1000 * listener.delay:.0f} ms of sound, then one "
        f"every {1000 * listener.seconds_between:.0f} ms; {listener.state_size:,} bytes of state."
    )


def _check(path: Path, sound: "Recording") -> None:
    """Refuse what cannot be one spoken digit."""
    if sound.seconds < SHORTEST:
        raise PenchantError(
            f"{path}: {sound.seconds:.3g} s long; a spoken digit takes at least {SHORTEST:g} s"
        )
    peak = float(abs(sound.samples).max())
    if peak < QUIETEST:
        raise PenchantError(
            f"{path}: silence, with a peak of {peak:.2g} where the loudest is 1; at least "
            f"{QUIETEST:g} is needed"
        )


def _likeliest(posterior: "Float[Tensor, ' classes']") -> str:
    shares, digits = posterior.topk(SHOWN)
    pairs = zip(digits.tolist(), shares.tolist(), strict=True)
    return "   ".join(f"{digit} {100 * share:5.1f} %" for digit, share in pairs)
