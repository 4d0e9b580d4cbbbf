"""The commands as a whole: quick to answer, and agreeing with the plan."""

import re
import resource
import subprocess
import sys

import pytest
import typer
from cli.conftest import Command

from penchant import __version__
from penchant.cli._app import app
from penchant.study import FITS, Plan, usual_fit
from penchant.study._plan import usual_words

HEAVY = ("torch", "numpy", "scipy", "pandas", "rich", "matplotlib", "PIL")


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, penchant.cli\n"
        "sys.argv = ['penchant', 'compare', '--help']\n"
        "try: penchant.cli.main()\n"
        f"finally: print('heavy:', [m for m in {HEAVY} if m in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "--vary" in done.stdout
    assert done.stdout.endswith("heavy: []\n")
    # Processor seconds, since a test machine may be busy.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_version(penchant: Command) -> None:
    assert penchant("--version").out == f"penchant {__version__}\n"


def test_no_command_is_help(penchant: Command) -> None:
    outcome = penchant()
    assert outcome.code == 0
    assert [
        name for name in ("compare", "run", "fit", "render") if f"  {name} " in outcome.out
    ] == [
        "compare",
        "run",
        "fit",
        "render",
    ]


@pytest.mark.parametrize("command", ["compare", "run", "fit", "render"])
def test_each_command_has_help(penchant: Command, command: str) -> None:
    outcome = penchant(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Usage: penchant {command}" in outcome.out


def _shown_defaults(command: str) -> dict[str, str]:
    group = typer.main.get_command(app)
    found = {}
    for param in group.commands[command].params:  # type: ignore[attr-defined]
        match = re.search(r"\[default: (.*)\]", getattr(param, "help", None) or "")
        if match:
            found[param.name] = match[1]
    return found


def test_help_repeats_the_plans_defaults() -> None:
    shown = _shown_defaults("compare")
    fields = {name: field.default for name, field in Plan.model_fields.items()}
    for name in ("seeds", "tune", "match", "noise"):
        assert shown[name] == str(fields[name]), name
    on_data = usual_words(["digits"])
    for name, other in (
        ("steps", "{} on labelled data"),
        ("batch", "{} on labelled data"),
        ("size", "{} for folders of classes"),
        ("held_out", "{}"),
    ):
        assert shown[name] == f"{fields[name]}; {other.format(on_data[name])}", name
    pictures, data = list(Plan().labelled()), list(Plan(**on_data).labelled())
    assert pictures[5:] == ["relu+nerf"] and data[4:] == ["relu+l2"]
    assert shown["vary"] == (
        f"on pictures {', '.join(pictures[:5])}, and relu with NeRF frequencies; "
        f"on labelled data {', '.join(data[:4])}, and relu with l2; "
        f"on recordings {', '.join(Plan(**usual_words(['spoken-digits'])).labelled())}"
    )


def test_help_repeats_the_fits_defaults() -> None:
    shown = _shown_defaults("fit")
    usual, alone = FITS["picture"], usual_fit("picture", {"width": 64})
    scene, sound, volume, mesh = (FITS[k] for k in ("radiance", "sound", "volume", "mesh"))
    assert sound.size is None and volume.size == mesh.size
    others = f"{scene.size} of a scene; {volume.size} of a volume or mesh; all of a sound"
    assert shown["size"] == f"{usual.size}, or {alone.size} for one network; {others}"
    first = f"{usual.steps}, or {alone.steps} for one network"
    assert shown["steps"].startswith(f"{first}; {scene.steps} of a scene; ")
    for kind, one in (("sound", sound), ("volume", volume), ("mesh", mesh)):
        assert re.search(rf"{one.steps} of [^;]*{kind}", shown["steps"]), kind
