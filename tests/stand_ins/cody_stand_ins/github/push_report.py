"""A push's report in GitHub's words: git can say of a hook's refusal only that a hook declined."""

from collections.abc import Iterator, Mapping

_REPORT = b"\x01"
_LARGEST = 65_519
_FLUSH = b"0000"


def with_reasons(answer: bytes, reasons: Mapping[str, str]) -> bytes:
    """The answer of `git receive-pack`, with the reason of each ref that was refused. Nothing changes where the report
    is not in a side band, or says nothing of these refs."""
    packets = list(_packets(answer))
    report = b"".join(packet[1:] for packet in packets if packet[:1] == _REPORT)
    if not report or not reasons:
        return answer
    others = [_packed(packet) for packet in packets if packet[:1] != _REPORT]
    told = b"".join(_packed(_told(line, reasons)) for line in _packets(report)) + _FLUSH
    bands = [_packed(_REPORT + told[at : at + _LARGEST]) for at in range(0, len(told), _LARGEST)]
    return b"".join((*others, *bands)) + _FLUSH


def _told(line: bytes, reasons: Mapping[str, str]) -> bytes:
    word, _, rest = line.decode("utf-8", errors="surrogateescape").rstrip("\n").partition(" ")
    ref, _, why = rest.partition(" ")
    if word != "ng" or why != "hook declined" or ref not in reasons:
        return line
    return f"ng {ref} {reasons[ref]}\n".encode("utf-8", errors="surrogateescape")


def _packets(data: bytes) -> Iterator[bytes]:
    """What is in the pkt-lines; flushes are left out."""
    position = 0
    while position + 4 <= len(data):
        size = int(data[position : position + 4], 16)
        if size > 4:
            yield data[position + 4 : position + size]
        position += max(size, 4)


def _packed(content: bytes) -> bytes:
    return b"%04x%s" % (len(content) + 4, content)
