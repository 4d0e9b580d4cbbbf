"""The two consoles. Not imported before a command has something to show, since rich is heavy."""

from textwrap import wrap

from rich.console import Console


class Screen(Console):
    """A console that takes text as it is, since a file's name may look like markup.

    Args:
        stderr: write to stderr instead of stdout.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)

    def item(self, text: str) -> None:
        """Print one of several texts, set in; on a terminal its further lines are so more."""
        if not self.is_terminal:
            self.print(f"  {text}", soft_wrap=True)
            return
        for line in wrap(
            text,
            self.width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
            break_long_words=False,
        ):
            self.print(line, soft_wrap=True)

    def say(self, text: str, *, style: str | None = None) -> None:
        """Print text, with its lines filled on a terminal and as it is elsewhere."""
        self.print(text, style=style, soft_wrap=not self.is_terminal)
