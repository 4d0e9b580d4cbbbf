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
    out: Annotated[
        Path | None,
        option("PAGE", "Where the page goes.", "-o", "--out", default="explain-TOPIC.html"),
    ] = None,
) -> None:
    """Explain a divergence, a posterior or a step downhill: worked numbers, and a page."""
    if topic is None:
        _list_topics(out)
        return
    from penchant.cli._output import check_file
    from penchant.cli._screen import Screen
    from penchant.explain import TOPICS, text
    from penchant.explain import explain as explained

    path = out or Path(f"explain-{topic}.html")
    if topic in TOPICS:
        check_file(path)
    shown = explained(topic, path)
    screen = Screen()
    screen.print(text(shown, screen.width), end="", soft_wrap=True)
    screen.print()
    screen.say(f"the page: {path}")


def _list_topics(out: Path | None) -> None:
    from penchant.explain import TOPICS

    if out is not None:
        raise PenchantError(f"explain -o {out}: which topic? known: {', '.join(TOPICS)}")
    longest = max(map(len, TOPICS))
    for name, topic in TOPICS.items():
        typer.echo(f"{name:{longest}}  {topic.line}")
