"""What a program hands to the programs that it starts: everything but the credentials that are not theirs.

A shell usually holds more tokens than a worker may have: the worker is near untrusted text, so that no token that can
push, and nothing else that opens a door, is to be in its environment.
"""

import re
from collections.abc import Collection, Mapping

CLAUDE_KEYS = frozenset({"CLAUDE_API_KEY", "ANTHROPIC_API_KEY"})
WORKER_CREDENTIALS = CLAUDE_KEYS | {"GITHUB_READ_TOKEN"}
"""None of them can write to a code host."""

_CREDENTIAL = re.compile(
    # TOKEN in the singular only: with an s it is a number of them, as in CLAUDE_MAX_OUTPUT_TOKENS.
    r"(?:^|_)(?:TOKEN|PAT|(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(?:API|ACCESS|PRIVATE|SSH|SIGNING)_?KEY)S?)(?:$|_)",
    re.IGNORECASE,
)
_DOORS = frozenset({"SSH_AUTH_SOCK", "GIT_ASKPASS", "SSH_ASKPASS"})
"""Not credentials themselves, but programs and sockets that give some to whoever asks."""


def without_credentials(environment: Mapping[str, str], *, keep: Collection[str] = ()) -> dict[str, str]:
    """The environment without every variable whose name says that it holds a credential, but for those in `keep`."""
    return {name: value for name, value in environment.items() if name in keep or not is_credential(name)}


def is_credential(name: str) -> bool:
    return name in _DOORS or _CREDENTIAL.search(name) is not None
