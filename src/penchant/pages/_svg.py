"""Matplotlib figures as SVG that belongs to the page: its fonts, its colours, light or dark.

Charts draw with stand-in colours (`INK`, `SERIES`, ...), which become CSS variables in the text of
the SVG; so a figure follows the page from light to dark. Text stays text.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, RULE, ZONE, ACCENT = "#01a001", "#01a002", "#01a003", "#01a004", "#01a005"
SERIES = tuple(f"#01b0{i:02x}" for i in range(7))
"""Colours for named lines; the baseline is drawn in `INK`."""
_NAMES = {INK: "ink", MUTED: "muted", RULE: "rule", ZONE: "zone", ACCENT: "accent"} | {
    colour: f"series-{i}" for i, colour in enumerate(SERIES)
}

DASHES = ("solid", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
"""So that lines differ without colour."""

FONT_SIZE = 10.0
LETTER = 0.56 * FONT_SIZE
"""A letter's usual width: the reader's font is unknown when the figure is drawn."""
WIDTH = 360.0
"""Width of a chart in CSS pixels; drawn for a phone, scaled up on wider screens."""


def mix(share: float) -> str:
    """Stand-in colour between the lowest (0) and the highest (1) frequency band."""
    return f"#01c0{round(100 * share):02x}"


@contextmanager
def page_style() -> Iterator[None]:
    """Draw as the page needs it, whatever style the reader's own figures have set."""
    from matplotlib import style

    settings = {"svg.fonttype": "none", "font.size": FONT_SIZE, "text.parse_math": False}
    with style.context(["default", settings]), warnings.catch_warnings():
        # A label may be in a script that matplotlib's font lacks; the reader's browser has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def figure(width: float = WIDTH, height: float = 240.0) -> "Figure":
    """An empty figure, sized in CSS pixels; kept apart from pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72))


def svg(drawn: "Figure", name: str, alt: str) -> Markup:
    """Write a figure as inline SVG.

    Args:
        drawn: the figure.
        name: unique on the page; every id in the SVG begins with it.
        alt: what the figure shows, for those who do not see it.
    """
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        drawn.savefig(
            stream,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return Markup(_inline(stream.getvalue(), name, str(Markup.escape(alt))))


def _inline(text: str, name: str, alt: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    viewbox = re.search(r'viewBox="[^"]*"', text)
    assert viewbox is not None
    opening = f'<svg {viewbox.group()} role="img" aria-label="{alt}">'
    text = re.sub(r"<svg.*?>", lambda _: opening, text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("xlink:href", "href").replace("url(#", f"url(#{name}-")
    # The page's own font; matplotlib's names would win over it in a style attribute.
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    for colour, variable in _NAMES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(
        r"#01c0([0-9a-f]{2})",
        lambda found: f"color-mix(in oklab, var(--high) {int(found[1], 16)}%, var(--low))",
        text,
    )
    return re.sub(r"\n\s*", "\n", text)
