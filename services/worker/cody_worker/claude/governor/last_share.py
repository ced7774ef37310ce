"""What this worker had of the limits lately, to go on with while nobody can be asked for room."""

from collections import deque

from msgspec.structs import asdict

from cody_jobs.ports.room_store import Room, RoomLimits
from cody_worker.claude.governor.amounts import NOTHING, add, minus


class LastShare:
    """The sum of what was taken within the last minute, of which `minute` says how many seconds it has."""

    def __init__(self, minute: float) -> None:
        self._minute = minute
        self._taken: deque[tuple[float, Room]] = deque()
        self._sum = NOTHING

    def took(self, now: float, room: Room) -> None:
        self._forget(now)
        self._taken.append((now, room))
        self._sum = add(self._sum, room)

    def limits(self, now: float, in_force: RoomLimits, need: Room) -> RoomLimits:
        """As limits of a minute: never less than one call needs. What has no limit goes on without one."""
        self._forget(now)
        share, least = asdict(self._sum), asdict(need)
        return RoomLimits(
            **{
                kind: None if limit is None else min(limit, max(share[kind], least[kind]))
                for kind, limit in asdict(in_force).items()
            }
        )

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - self._minute:
            self._sum = minus(self._sum, self._taken.popleft()[1])
