"""What a credential looks like: by the shape of well-known ones, or by how random a value with such a name is."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct


class Shape(Struct, frozen=True, kw_only=True):
    """`signs` are what a text must have one of, which is quicker to look for than the expression."""

    name: str
    signs: tuple[str, ...]
    expression: re.Pattern[str]
    must_be_random: bool = False


def _shape(name: str, signs: str, expression: str, *, must_be_random: bool = False) -> Shape:
    return Shape(
        name=name, signs=tuple(signs.split()), expression=re.compile(expression), must_be_random=must_be_random
    )


_SHAPES = (
    _shape("an AWS access key", "AKIA ASIA ABIA ACCA", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    _shape("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),
    _shape("a GitHub token", "github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{22,255}\b"),
    _shape("a GitLab token", "glpat- glrt- gldt-", r"\bgl(?:pat|rt|dt)-[A-Za-z0-9_-]{20,100}"),
    _shape("a Slack token", "xox xapp-", r"\b(?:xox[abeoprs]|xapp-\d)-[A-Za-z0-9-]{10,250}"),
    _shape("a Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{40,80}"),
    _shape("an Anthropic key", "sk-ant-", r"\bsk-ant-[A-Za-z0-9_-]{20,200}"),
    _shape("an OpenAI key", "sk-", r"\bsk-(?!ant-)[A-Za-z0-9_-]{32,200}", must_be_random=True),
    _shape("a Google API key", "AIza", r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _shape("a Google OAuth secret", "GOCSPX-", r"\bGOCSPX-[A-Za-z0-9_-]{28}"),
    _shape("a Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}"),
    _shape("an npm token", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    _shape("a PyPI token", "pypi-", r"\bpypi-[A-Za-z0-9_-]{60,300}"),
    _shape("a SendGrid key", "SG.", r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    _shape("a Hugging Face token", "hf_", r"\bhf_[A-Za-z0-9]{34,60}\b"),
    _shape("a DigitalOcean token", "_v1_", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    _shape("a private key", "PRIVATE KEY", r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    _shape(
        "a JSON web token",
        "eyJ",
        r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}",
    ),
    _shape(
        "a password in a URL",
        "://",
        r"://[^\s:/@\"'<>${}]{1,60}:(?=[^\d@]{0,100}\d)[^\s:/@\"'<>${}%]{8,100}@[A-Za-z0-9]",
    ),
)

_NAME = (
    r"(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|"
    r"credentials?)[A-Za-z0-9_-]{0,30}"
)
_ASSIGNED = r"[\"'\]]{0,2}\s{0,8}(?::\s{0,3}[A-Za-z]{1,12}\s{0,3}=|:=|=>|=|:|,)\s{0,8}"
_QUOTED = re.compile(rf"{_NAME}{_ASSIGNED}[bfru]{{0,2}}([\"'`])(?P<value>[^\s\"'`]{{16,200}})\1", re.IGNORECASE)
_UNQUOTED = re.compile(
    rf"{_NAME}[\"']?\s{{0,8}}[:=]\s{{0,8}}(?P<value>[A-Za-z0-9+/_.~=-]{{20,200}})(?=\s|$)", re.IGNORECASE
)
_NAMES = ("pass", "pwd", "secret", "token", "key", "credential")
_PLACEHOLDER = re.compile(
    r"example|placeholder|change.?me|dummy|fake|sample|your|insert|replace|redacted|xxxx|\.\.\.|\*\*\*|\$\{|\$\(|\{\{|"
    r"<[a-z_ -]+>|%\(|test.?(?:key|token|secret|password)|1234567|abcdef(?!\d)|^[a-z]+://[^@]*$|^[./~]",
    re.IGNORECASE,
)
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_LONGEST_RANDOM_PIECE = 3.0
"""Letters of one case, or digits, stand together in words; by chance, fewer than this on average."""
_BITS_PER_CHARACTER = 3.5
_BITS_PER_HEX_DIGIT = 3.0
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_SHOWN_OF_SECRET = 4
_LONGEST_LINE = 4_000
"""Lines above are data or were made by a program; they are looked through for known shapes only."""


def without_secrets(text: str) -> str:
    for value, _ in (*known_secrets(text, _SHAPES), *named_secrets(text, is_configuration=True)):
        text = text.replace(value, masked(value))
    return text


def masked(value: str) -> str:
    return f"{value[:_SHOWN_OF_SECRET]}… ({len(value)} characters)"


def possible_shapes(text: str) -> tuple[Shape, ...]:
    return tuple(shape for shape in _SHAPES if any(sign in text for sign in shape.signs))


def known_secrets(text: str, shapes: tuple[Shape, ...]) -> Iterator[tuple[str, str]]:
    for shape in shapes:
        if not any(sign in text for sign in shape.signs):
            continue
        for match in shape.expression.finditer(text):
            if not _is_placeholder(match[0]) and (not shape.must_be_random or _is_random(match[0])):
                yield match[0], shape.name


def named_secrets(text: str, *, is_configuration: bool) -> Iterator[tuple[str, str]]:
    if len(text) > _LONGEST_LINE or not any(name in text.lower() for name in _NAMES):
        return
    for match in (*_QUOTED.finditer(text), *(_UNQUOTED.finditer(text) if is_configuration else ())):
        value = match["value"]
        if _is_random(value) and not _is_placeholder(value):
            yield value, "a random value with a secret's name"


def _is_placeholder(value: str) -> bool:
    return _PLACEHOLDER.search(value) is not None


def _is_random(value: str) -> bool:
    """By Shannon's entropy of its characters; words, names and paths are not random."""
    if _HEX.fullmatch(value):
        return _entropy(value) >= _BITS_PER_HEX_DIGIT
    if not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value) or re.search(r"[(){}\[\]<>$;,]", value):
        return False
    pieces = _PIECES.findall(value)
    is_scattered = sum(map(len, pieces)) < _LONGEST_RANDOM_PIECE * len(pieces)
    return is_scattered and _entropy(value) >= _BITS_PER_CHARACTER


def _entropy(value: str) -> float:
    return -sum(number / len(value) * math.log2(number / len(value)) for number in Counter(value).values())
