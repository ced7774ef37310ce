"""How many tokens a prompt has at most."""

from cody_worker.claude import ClaudeRequest

_UNSEEN_TOKENS = 1_500
"""What the API adds to a request by itself: instructions for tools, and a few tokens around each message."""
_COUNT_MARGIN = 1.02


def most_prompt_tokens(request: ClaudeRequest) -> int:
    """No token is shorter than a byte. Code has three or four bytes in one, but a file may be anything."""
    return prompt_bytes(request) + _UNSEEN_TOKENS


def prompt_bytes(request: ClaudeRequest) -> int:
    """As they are sent: JSON."""
    return sum(len(bytes(message.content)) for message in request.messages) + len(bytes(request.tools))


def most_of_counted(tokens: int) -> int:
    """What the API counts in advance may be a little less than what it bills."""
    return int(tokens * _COUNT_MARGIN) + 16
