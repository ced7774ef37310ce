"""What a repository says of its own style: shown to Claude as data, within bounds."""

from cody_worker.claude.edit_protocol import tagged
from cody_worker.edit.look_around import Lookable
from cody_worker.file_text import read_text

_FILES = (".editorconfig", "AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md")
_FILE_CHARACTERS = 1_200
_MOST_CHARACTERS = 2_400


async def read_conventions(repository: Lookable) -> str:
    """Empty where it says nothing."""
    parts: list[str] = []
    left = _MOST_CHARACTERS
    for path in _FILES:
        content = await repository.read_other(path) if left > 0 else None
        text = None if content is None else read_text(content)
        if text is not None and text.shown.strip():
            part = text.shown.strip()[: min(left, _FILE_CHARACTERS)]
            parts.append(tagged("conventions", part, path=path))
            left -= len(part)
    return "\n".join(parts)
