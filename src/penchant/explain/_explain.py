"""A topic, computed and shown: in a notebook, on a terminal, as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from penchant.errors import PenchantError
from penchant.explain._explanation import Explanation
from penchant.explain._text import text
from penchant.explain._topics import load

if TYPE_CHECKING:
    from torch import Tensor, nn


class Shown(Explanation):
    """An explanation that shows itself: plain text when printed, its page in a notebook."""

    def __repr__(self) -> str:
        return text(self).rstrip("\n")

    def _repr_html_(self) -> str:
        from penchant.explain._page import page

        # In a frame, the page's style and the notebook's leave each other alone.
        return str(
            Markup(
                '<iframe title="{}" srcdoc="{}" sandbox '
                'style="width: 100%; height: 42rem; border: 0"></iframe>'
            ).format(self.title, page(self))
        )


def explain(
    topic: str,
    path: str | Path | None = None,
    *,
    network: "nn.Module | str | None" = None,
    input: "Sequence[int] | Tensor | Sequence[Sequence[int] | Tensor] | None" = None,
) -> Explanation:
    """Explain a topic: a small table of worked numbers, and a page with figures.

    In a notebook the result shows its page; printed, it is the answer and the table.

    Args:
        topic: `l2`, `kl`, `kl-vs-l2`, `sigmoid`, `descent` or `routing`.
        path: where to write the page, one HTML file that needs no internet; nowhere by default.
        network: what `routing` is asked of, in place of the notes' case: a module, or
            ``file.py:Class`` or ``package.module:callable``.
        input: what goes into the network: one sample's shape, or a tensor with its batch, or
            several of them.

    Returns:
        The explanation: title, summary, table, sections with figures.

    Raises:
        PenchantError: there is no such topic, `path` cannot be written, or the network cannot be
            loaded, run, followed or drawn.

    Example:
        >>> explain("l2").table.columns[:3]
        ('case', 'L2', 'dDiv/dy')
    """
    if path is not None and Path(path).is_dir():
        raise PenchantError(
            f"explain({topic!r}, path='{path}'): is a folder; name a file, such as {topic}.html"
        )
    shown = Shown(**vars(load(topic, network=network, input=input)))
    if path is not None:
        from penchant.explain._page import page
        from penchant.files import write_whole

        write_whole(Path(path), page(shown).encode())
    return shown
