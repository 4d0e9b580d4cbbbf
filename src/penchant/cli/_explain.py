"""`penchant explain`: a topic's worked numbers, and its page."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._options import option
from penchant.errors import PenchantError


def explain(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="Leave it out for the list of topics.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Argument(
            metavar="NETWORK", help="For routing: file.py:Class or package.module:callable."
        ),
    ] = None,
    input: Annotated[
        list[str] | None,
        option("SHAPE", "For routing: a sample that goes in, such as 8 or 3x8x8.", "--input"),
    ] = None,
    out: Annotated[
        Path | None,
        option("PAGE", "Where the page goes.", "-o", "--out", default="explain-TOPIC.html"),
    ] = None,
) -> None:
    """Explain a divergence, a step downhill or a network's gradients: numbers, and a page."""
    if topic is None:
        _list_topics(out)
        return
    from penchant.cli._output import check_file
    from penchant.cli._screen import Screen
    from penchant.explain import TOPICS, text
    from penchant.explain import explain as explained

    shapes = [_shape(words) for words in input] if input else None
    path = out or Path(f"explain-{topic}.html")
    if topic in TOPICS:
        check_file(path)
    shown = explained(topic, path, network=network, input=shapes)
    screen = Screen()
    screen.print(text(shown, screen.width), end="", soft_wrap=True)
    screen.print()
    screen.say(f"the page: {path}")


def _shape(words: str) -> tuple[int, ...]:
    """Read ``3x8x8``."""
    sizes = words.replace("×", "x").split("x")
    if not all(size.isascii() and size.isdigit() and int(size) for size in sizes):
        raise PenchantError(
            f"explain --input {words}: is no shape; write whole numbers from 1, such as 8 or 3x8x8"
        )
    return tuple(map(int, sizes))


def _list_topics(out: Path | None) -> None:
    from penchant.explain import TOPICS

    if out is not None:
        raise PenchantError(f"explain -o {out}: which topic? known: {', '.join(TOPICS)}")
    longest = max(map(len, TOPICS))
    for name, topic in TOPICS.items():
        typer.echo(f"{name:{longest}}  {topic.line}")
