"""The command line: one file a command, and nothing heavy imported before one needs it."""

from penchant.cli._app import main as main

__all__ = ["main"]
