"""The context of a trace as X-Ray writes it.

Format: "Tracing header" in the X-Ray developer guide; its root is a W3C trace id, cut after the first eight digits.
"""

import re

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{8})([0-9a-f]{24})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


def trace_header(traceparent: str | None) -> str | None:
    """None for what is no traceparent: SQS refuses a message with a malformed header."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if not found:
        return None
    begin, rest, parent, flags = found.groups()
    return f"Root=1-{begin}-{rest};Parent={parent};Sampled={int(flags, 16) & 1}"
