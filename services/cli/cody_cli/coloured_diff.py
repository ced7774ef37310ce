"""A diff for eyes."""

from rich.console import Console
from rich.rule import Rule
from rich.syntax import Syntax


def print_diff(repository: str, patch: bytes, console: Console, *, lines: int | None = None) -> None:
    """Print the diff, or its first `lines` lines and how many more there are."""
    text = patch.decode(errors="replace").replace("\r\n", "\n").splitlines()
    shown = text if lines is None else text[:lines]
    console.print(Rule(repository, align="left", style="dim"))
    console.print(Syntax("\n".join(shown), "diff", theme="ansi_dark", background_color="default", word_wrap=True))
    if len(shown) < len(text):
        console.print(f"… {len(text) - len(shown)} more lines", style="dim")
