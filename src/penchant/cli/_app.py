"""The commands put together, and the one way in."""

import sys
from typing import Annotated

import typer

from penchant import __version__
from penchant.cli._claims import app as claims
from penchant.cli._compare import compare
from penchant.cli._errors import exit_code
from penchant.cli._explain import explain
from penchant.cli._fit import fit
from penchant.cli._inspect import inspect
from penchant.cli._listen import listen
from penchant.cli._render import render
from penchant.cli._run import run

app = typer.Typer(
    name="penchant",
    add_completion=False,
    # Plain help starts three times as fast as rich's.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`penchant COMMAND --help` says more. Start with: penchant compare photo.png",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"penchant {__version__}")
        raise typer.Exit


@app.callback()
def penchant(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Compare networks on your picture or data under control, and use the best one."""


for command in (compare, run, fit, render, explain, inspect, listen):
    app.command()(command)
app.add_typer(claims, name="claims")


def main() -> None:
    """Run the command that the process was started with, and exit.

    Exit codes: 0 done, 1 our fault, 2 the user's input, 130 interrupted.
    """
    arguments = sys.argv[1:] or ["--help"]
    sys.exit(exit_code(lambda: app(arguments, prog_name="penchant", standalone_mode=False)))
