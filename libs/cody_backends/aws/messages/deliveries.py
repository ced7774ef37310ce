"""What this process knows about the deliveries that it was given."""

from collections import OrderedDict

from cody_jobs.ports import ReceivedMessage

_KEPT = 10_000


class Deliveries:
    """SQS may act on the receipt of an earlier delivery though a later one has been made: here at least it is not used
    when the later one was made to this process."""

    def __init__(self, *, kept: int = _KEPT) -> None:
        self._kept = kept
        self._receives: OrderedDict[str, int] = OrderedDict()

    def note(self, message: ReceivedMessage) -> None:
        self._receives[message.id] = max(message.receives, self._receives.pop(message.id, 0))
        while len(self._receives) > self._kept:
            self._receives.popitem(last=False)

    def is_stale(self, message: ReceivedMessage) -> bool:
        return message.receives < self._receives.get(message.id, 0)

    def forget(self, message: ReceivedMessage) -> None:
        self._receives.pop(message.id, None)
