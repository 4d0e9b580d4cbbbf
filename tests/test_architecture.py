"""What import-linter cannot say: rooms are entered by their public face, and importing is light."""

import subprocess
import sys
import time
from pathlib import Path

import grimp

HEAVY = ("torch", "numpy", "scipy", "pandas", "matplotlib", "skimage", "PIL", "pydantic", "jinja2")


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


def test_a_room_is_entered_by_its_public_face() -> None:
    graph = grimp.build_graph("penchant", cache_dir=None)
    imports = [
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]
    assert len(imports) > 50
    trespasses = [
        f"{importer} imports {imported}"
        for importer, imported in imports
        if private(imported) and room(importer) != room(imported)
    ]
    assert not trespasses


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, penchant; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "penchant" in loaded
    assert not set(HEAVY) & set(loaded)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['penchant', '--help']\nfrom penchant.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint('LOADED', *sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    shown, _, loaded = output.partition("LOADED")
    assert "compare" in shown
    assert not set(HEAVY) & set(loaded.split())


def test_help_comes_within_half_a_second() -> None:
    command = Path(sys.executable).parent / "penchant"
    seconds = []
    for _ in range(6):  # the first warms the disk's cache; the best of the rest, as others work too
        started = time.perf_counter()
        subprocess.run([command, "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    assert min(seconds[1:]) < 0.5
