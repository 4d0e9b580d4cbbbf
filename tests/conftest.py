"""What every test stands on: shapes checked at each call, one thread, golden files, real data."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping
import pytest

# Before anything of the package is imported: from here on each of its functions, methods and
# dataclasses checks the shapes in its signature.
jaxtyping.install_import_hook("penchant", "shapes.checked")

# Children (worker processes, the command line) inherit it, and a study's numbers ask for it.
os.environ["OMP_NUM_THREADS"] = "1"

REPOSITORY = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden files with what came out"
    )


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


@pytest.fixture(autouse=True)
def _shapes(request: pytest.FixtureRequest) -> Iterator[None]:
    unchecked = request.node.get_closest_marker("unchecked") is not None
    jaxtyping.config.update("jaxtyping_disable", unchecked)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def penchant_data() -> Path:
    """The folder of real signals: PENCHANT_DATA, or shared/data beside the repository."""
    named = os.environ.get("PENCHANT_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data: set PENCHANT_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def kodak(penchant_data: Path) -> Path:
    """The folder of Kodak's pictures."""
    folder = penchant_data / "kodak"
    if not list(folder.glob("*.png")):
        pytest.skip("no real data: PENCHANT_DATA holds no kodak/*.png")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with the file of a name in `golden/` beside the test.

    With --update-golden a file that differs is rewritten, and the test fails all the same, so
    that no run both rewrites and passes.
    """

    def check(name: str, text: str) -> None:
        path = request.path.parent / "golden" / name
        before = path.read_text(encoding="utf-8") if path.exists() else None
        if request.config.getoption("--update-golden") and text != before:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            pytest.fail(f"golden/{name} is rewritten; read the difference and run again")
        assert before is not None, f"golden/{name} is missing; --update-golden writes it"
        assert text == before

    return check
