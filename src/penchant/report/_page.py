"""Fill a page's template with its style and script inside, so that a file needs nothing else."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from penchant.report import _words as words


def render(template: str, *, script: str = "", **values: object) -> str:
    """Render a template of this room.

    Templates escape every value. Pages extend `base.html.jinja`, which carries `style.css`, forbids
    every request, and runs the given script alone, by its hash: not even a label that slipped
    through escaping could run.

    Args:
        template: name of a file in `templates/`.
        script: name of a script in `templates/`, placed at the page's end.
        values: what the template shows.
    """
    code = _text(script) if script else ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(_text("style.css")),
            script=Markup(code),
            script_hash=f"sha256-{digest}",
            **values,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_text),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "counted": words.counted,
        "metric_name": words.metric_name,
    }
    environment.globals |= {"symbols": words.SYMBOLS, "interval": words.interval}
    return environment


def _text(name: str) -> str:
    return (files("penchant.report") / "templates" / name).read_text(encoding="utf-8")
