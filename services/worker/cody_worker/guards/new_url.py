"""A host that the added lines speak of, and nobody did before: where data might go, or code come from."""

import re
from collections.abc import Iterable, Iterator

from cody_worker.guards.changed_lines import ChangedLines
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Finding, GuardName, GuardRules, shown

_URL = re.compile(r"://(?P<place>[^\s\"'`<>|,;]{1,400})")
_WITHOUT_SCHEME = re.compile(
    r"(?:[\"'`(=]//|\bgit@)(?P<place>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?:[/:][^\s\"'`<>)]{0,300})?)"
)
_QUOTED = re.compile(
    r"[\"'`](?P<place>(?!(?:com|org|net|io|de|edu|dev|app|me)\.)[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.(?:com|net|org|xyz|ru|cn|biz))"
    r"(?=[\"'`/:])"
)
_WORDS = re.compile(r"[\w.-]+(?:/[\w.~-]+)?")
_FIELD = re.compile(r"\$?\{[^{}]{0,200}\}+|%[sd]|%\([^()]{0,100}\)s|\$\w{1,60}|<[^<>]{0,100}>")
_SECURE_SHELL = re.compile(r"^([\w.-]{1,200}):(?=[a-z])(?![^/]{0,400}@)", re.IGNORECASE)
_NUMBER = re.compile(r"(?:0x[0-9a-f]+|\d+)", re.IGNORECASE)

SHARED_HOSTS = frozenset(
    {
        "bitbucket.org",
        "codeload.github.com",
        "discord.com",
        "docker.io",
        "gist.github.com",
        "gist.githubusercontent.com",
        "ghcr.io",
        "github.com",
        "gitlab.com",
        "huggingface.co",
        "raw.githubusercontent.com",
        "s3.amazonaws.com",
        "storage.googleapis.com",
    }
)
"""There, the first part of the path says whose a place is."""
_NOBODYS = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|org|net)|example|test|invalid|localhost)|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\]|www\.w3\.org",
    re.IGNORECASE,
)
"""Reserved for examples (RFC 2606), the machine itself, and the names of XML's own languages."""


def new_urls(lines: ChangedLines, rules: GuardRules) -> list[Finding]:
    """A place is known by its host, wherever the file, the prompt or the plan's example has it; another path on a known
    host is nothing new."""
    spoken = {place: line.number for line in reversed(lines.added) for place in reversed([*_places(line.text)])}
    if not spoken:
        return []
    known = _known((lines.before, rules.prompt, *(rules.example or ())))
    new = sorted((number, place) for place, number in spoken.items() if place not in known)
    return [_finding(number, place) for number, place in new[:MOST_FINDINGS_OF_A_GUARD]]


def _places(text: str) -> Iterator[str]:
    plain = text.replace("\\/", "/")
    if "." not in plain and "://" not in plain:
        return
    for expression in (_URL, _WITHOUT_SCHEME, _QUOTED):
        for found in expression.finditer(plain):
            place = _place(found["place"])
            if place is not None and not _NOBODYS.fullmatch(place):
                yield place


def _place(rest: str) -> str | None:
    """The host, with whose place it is where many share it; None where it is filled in later or has no dots, as names
    within a network."""
    authority, _, path = _SECURE_SHELL.sub(r"\1/", rest.replace("\\", "/")).partition("/")
    host = _host(_FIELD.split(re.split(r"[?#]", authority)[0])[-1].rpartition("@")[2])
    if host in SHARED_HOSTS:
        owner = re.match(r"[\w.~-]*", path)
        return f"{host}/{owner[0].lower()}" if owner and owner[0] else host
    return host if host.startswith("[") or "." in host or _NUMBER.fullmatch(host) else None


def _host(authority: str) -> str:
    bracket = re.match(r"\[[0-9a-f:.%]{2,60}\]", authority, re.IGNORECASE)
    if bracket is not None:
        return bracket[0].lower()
    name = re.match(r"[\w.-]*", authority)
    return name[0].strip(".-").lower() if name else ""


def _known(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(place for text in texts for place in _spoken_of(text.replace("\\/", "/").lower()))


def _spoken_of(text: str) -> Iterator[str]:
    for expression in (_URL, _WITHOUT_SCHEME):
        yield from (place for found in expression.finditer(text) if (place := _place(found["place"])))
    for word in _WORDS.findall(text):
        host = word.partition("/")[0].strip(".-")
        yield host
        yield word.strip(".-")


def _finding(number: int, place: str) -> Finding:
    message = f"line {number} speaks of {shown(place)}, which neither the file nor the prompt did before"
    return Finding(guard=GuardName.NEW_URL, message=message, line=number)
