"""Whether workers of this machine will be able to talk to Claude."""

from collections.abc import Mapping

from cody_cli.failures import CommandFailed

NAMES = ("CLAUDE_API_KEY", "ANTHROPIC_API_KEY")


def claude_key_is_missing(environment: Mapping[str, str]) -> bool:
    return not any(environment.get(name, "").strip() for name in NAMES)


def require_claude_key(environment: Mapping[str, str]) -> None:
    """Say so before anything is started."""
    if claude_key_is_missing(environment):
        raise CommandFailed(
            "There is no Claude key: nothing was started.",
            hint="set CLAUDE_API_KEY (or ANTHROPIC_API_KEY) to a key of https://console.anthropic.com",
        )
