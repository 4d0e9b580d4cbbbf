"""Self-contained pages and their figures: one look for reports and explanations."""

from penchant.pages._axes import apart as apart
from penchant.pages._axes import label_ends as label_ends
from penchant.pages._axes import quiet as quiet
from penchant.pages._page import render as render
from penchant.pages._svg import ACCENT as ACCENT
from penchant.pages._svg import DASHES as DASHES
from penchant.pages._svg import FONT_SIZE as FONT_SIZE
from penchant.pages._svg import INK as INK
from penchant.pages._svg import LETTER as LETTER
from penchant.pages._svg import MUTED as MUTED
from penchant.pages._svg import RULE as RULE
from penchant.pages._svg import SERIES as SERIES
from penchant.pages._svg import WIDTH as WIDTH
from penchant.pages._svg import ZONE as ZONE
from penchant.pages._svg import figure as figure
from penchant.pages._svg import mix as mix
from penchant.pages._svg import page_style as page_style
from penchant.pages._svg import svg as svg
from penchant.pages._words import counted as counted
from penchant.pages._words import integers as integers
from penchant.pages._words import interval as interval
from penchant.pages._words import number as number
from penchant.pages._words import plain as plain
from penchant.pages._words import quantity as quantity

__all__ = [
    "ACCENT",
    "DASHES",
    "FONT_SIZE",
    "INK",
    "LETTER",
    "MUTED",
    "RULE",
    "SERIES",
    "WIDTH",
    "ZONE",
    "apart",
    "counted",
    "figure",
    "integers",
    "interval",
    "label_ends",
    "mix",
    "number",
    "page_style",
    "plain",
    "quantity",
    "quiet",
    "render",
    "svg",
]
