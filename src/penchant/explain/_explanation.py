"""What an explanation is: a small table for the terminal, and sections with figures for a page."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """Rows of text under named columns; numbers come ready to be read."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart as the page's own SVG, and what it shows in a sentence or two."""

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs of plain text, and what belongs under them."""

    heading: str
    paragraphs: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """One topic, for a learner.

    `summary` is the answer in one or two sentences; `table` the worked numbers, printed in the
    terminal and standing first on the page; `sections` the rest of the page. Every number in it was
    computed by the package's public functions.
    """

    topic: str
    """As typed: ``penchant explain kl``."""
    title: str
    summary: str
    table: Table
    sections: tuple[Section, ...]
    sources: tuple[str, ...] = ()
    """Author, title, year."""
