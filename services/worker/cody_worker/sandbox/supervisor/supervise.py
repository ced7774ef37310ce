"""Start a command, watch it, end it with all that it has started.

Standard input: an `Order` as one line of JSON; its end means stop. Standard output is the command's. Standard error: a
`Report` as JSON.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import cast

from cody_worker.sandbox.supervisor.become_command import become_command
from cody_worker.sandbox.supervisor.control_groups import control_groups
from cody_worker.sandbox.supervisor.get_ready import adopt_orphans, come_first, woken_by_children
from cody_worker.sandbox.supervisor.order import EXITED, STOPPED, Order, Report, read_line
from cody_worker.sandbox.supervisor.processes import children_of, descendants_of, reap_orphans
from cody_worker.sandbox.supervisor.usage import free_bytes, usage_of

_POLL_SECONDS = 0.05


def main() -> int:
    order = cast("Order", json.loads(read_line()))
    report = _Supervisor(order).run()
    sys.stderr.write(json.dumps(report) + "\n")
    return 0


class _Supervisor:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._limits = order["limits"]
        self._began = time.monotonic()
        self._status, self._status_end = os.pipe()
        self._pid = 0
        self._groups: list[Path] = []

    def run(self) -> Report:
        with control_groups(self._limits) as self._groups, woken_by_children() as wake:
            adopt_orphans()
            come_first()
            self._pid = self._start()
            os.close(self._status_end)
            reason = self._watch(wake)
            exit_code = self._end_everything()
        return Report(
            exit_code=exit_code if reason == EXITED else None,
            reason=reason,
            started=not self._order["sandboxed"] or b"exit-code" in os.read(self._status, 4096) or reason != EXITED,
            seconds=round(time.monotonic() - self._began, 3),
        )

    def _start(self) -> int:
        pid = os.fork()
        if pid == 0:
            become_command(self._order, self._status_end, self._groups)
        return pid

    def _watch(self, wake: socket.socket) -> str:
        """Wait for the command's end, or for a reason to end it. The command is not reaped, so that its id stays its
        own."""
        while not os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            reason = self._limit_that_is_hit()
            if reason is not None:
                return reason
            ready, _, _ = select.select([0, wake], [], [], _POLL_SECONDS)
            if 0 in ready:
                return STOPPED
            if wake in ready:
                wake.recv(4096)
        return EXITED

    def _limit_that_is_hit(self) -> str | None:
        limits = self._limits
        if time.monotonic() - self._began > limits["seconds"]:
            return "time_limit"
        if free_bytes(self._order["folder"]) < limits["free_disk_bytes"]:
            return "disk_limit"
        usage = usage_of(reap_orphans(descendants_of(os.getpid()), but=self._pid), limits["memory_bytes"])
        if usage.threads > limits["processes"]:
            return "process_limit"
        if usage.memory_bytes > limits["memory_bytes"]:
            return "memory_limit"
        return "cpu_limit" if usage.cpu_seconds > limits["cpu_seconds"] else None

    def _end_everything(self) -> int:
        """Kill the command's group at once, then whoever has left it, generation by generation: a killed process's
        children become ours. Only our own children are killed by id, for nobody but us reaps them."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        while orphans := children_of(os.getpid()):
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
            for pid in orphans:
                os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code
