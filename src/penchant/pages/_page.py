"""Fill a page's template with its style and script inside, so that a file needs nothing else."""

import base64
import hashlib

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penchant.pages import _words as words


def render(template: str, *, room: str, script: str = "", **values: object) -> str:
    """Render a room's template.

    Templates escape every value. Pages extend `base.html.jinja`, which carries `style.css`, forbids
    every request, and runs the given script alone, by its hash: not even a label that slipped
    through escaping could run.

    Args:
        template: name of a file in the room's `templates/`.
        room: the package that has them, such as `"penchant.report"`.
        script: name of a script in the room's `templates/`, placed at the page's end.
        values: what the template shows.
    """
    loader = ChoiceLoader([PackageLoader(room), PackageLoader("penchant.pages")])
    environment = _environment(loader)
    code = _text(environment, script) if script else ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    return environment.get_template(template).render(
        style=Markup(_text(environment, "style.css")),
        script=Markup(code),
        script_hash=f"sha256-{digest}",
        **values,
    )


def _environment(loader: BaseLoader) -> Environment:
    environment = Environment(
        autoescape=True,
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "counted": words.counted}
    environment.globals |= {"interval": words.interval}
    return environment


def _text(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
