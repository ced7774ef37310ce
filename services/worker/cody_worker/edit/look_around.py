"""Show Claude what it asks to see: more of the file, another file, or where a text occurs. All within bounds."""

import hashlib
from typing import Protocol

import msgspec

from cody_jobs.outcomes import Look, Seen
from cody_worker.claude.edit_protocol import tagged
from cody_worker.claude.edit_tools import ReadFile, Search, SeeMore
from cody_worker.claude.read_reply import LookUp
from cody_worker.file_text import read_text
from cody_worker.git.look import Found, SearchRules
from cody_worker.git.scope import NotACandidate
from cody_worker.windows import View

_MOST_LOOKS = 8
_MOST_CHARACTERS = 60_000
_FILE_CHARACTERS = 24_000
_MORE_LINES = 400
_FOUND_LINES = 40
_LINE_CHARACTERS = 200
_NOTHING_LEFT = "You have looked at enough. Act on what you know, or leave the file unchanged with the reason."


class Lookable(Protocol):
    """A repository as it is without the changes of this run."""

    async def read_other(self, path: str, *, staged: bool = False) -> bytes | None: ...
    async def search(self, rules: SearchRules) -> Found: ...


class LookAround:
    """The looks of one conversation; `seen` is what its answer rests on besides its own file."""

    def __init__(self, repository: Lookable | None, seen: tuple[Seen, ...] = ()) -> None:
        self.seen = list(seen)
        self._repository = repository
        self._looks_left = _MOST_LOOKS
        self._characters_left = _MOST_CHARACTERS

    async def answer(self, look: LookUp, view: View) -> tuple[str, View]:
        """What Claude is told, and what it has then been shown of its own file."""
        self._looks_left -= 1
        if self._looks_left < 0 or self._characters_left <= 0:
            return _NOTHING_LEFT, view
        shown, view = await self._look(look.call, view)
        self._characters_left -= len(shown)
        return shown, view

    async def _look(self, call: SeeMore | ReadFile | Search, view: View) -> tuple[str, View]:
        match call:
            case SeeMore():
                return _more(call, view)
            case ReadFile():
                return await self._read(call.path), view
            case Search():
                return await self._search(call), view

    async def _read(self, path: str) -> str:
        shown = await read_other(self._repository, path)
        self.seen.append(Seen(look=Look.FILE, subject=path, digest=_digest(shown)))
        return shown

    async def _search(self, call: Search) -> str:
        shown = await search(self._repository, call.text, call.paths)
        subject = msgspec.json.encode([call.text, call.paths]).decode()
        self.seen.append(Seen(look=Look.SEARCH, subject=subject, digest=_digest(shown)))
        return shown


async def is_still_so(repository: Lookable | None, seen: Seen) -> bool:
    """Whether a look would show the same again."""
    if seen.look is Look.FILE:
        return _digest(await read_other(repository, seen.subject)) == seen.digest
    text, paths = msgspec.json.decode(seen.subject, type=tuple[str, str])
    return _digest(await search(repository, text, paths)) == seen.digest


async def read_other(repository: Lookable | None, path: str) -> str:
    content = await repository.read_other(path) if repository is not None else None
    text = None if content is None else read_text(content)
    if text is None:
        return "There is no such text file."
    cut = text.shown[:_FILE_CHARACTERS]
    more = f"\nCut off: the file has {len(text.shown)} characters." if len(cut) < len(text.shown) else ""
    return tagged("other", cut, path=path) + more


async def search(repository: Lookable | None, text: str, paths: str) -> str:
    if repository is None or not text.strip() or "\n" in text:
        return "Nothing to be found: the text has to be a part of one line."
    rules = SearchRules(text=text, paths=paths, most_lines=_FOUND_LINES, most_characters=_LINE_CHARACTERS)
    try:
        found = await repository.search(rules)
    except NotACandidate as error:
        return f"{error}."
    if not found.lines:
        return "It occurs nowhere." if found.whole else "It was not found in the part that could be searched."
    lines = "\n".join(f"{line.path}:{line.line}: {line.text}" for line in found.lines)
    return tagged("found", lines) + ("" if found.whole else "\nThere is more; these are the first.")


def _more(call: SeeMore, view: View) -> tuple[str, View]:
    last = min(call.end_line, call.start_line + _MORE_LINES - 1)
    more = View(text=view.text, spans=()).with_span((call.start_line, last))
    if not more.spans:
        return "The file has no such lines.", view
    (first, last), (piece,) = more.spans[0], more.pieces()
    return tagged("lines", piece, lines=f"{first}-{last}"), view.with_span((first, last))


def _digest(shown: str) -> str:
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
