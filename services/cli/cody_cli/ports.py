"""Ports of this machine: which is free, and the wait for one that was asked for."""

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from cody_cli.data_folder import DataFolder
from cody_cli.failures import BadInput

_PAUSE_SECONDS = 0.2


def free_port(host: str) -> int:
    with socket.create_server((host, 0), family=_family(host)) as server:
        return int(server.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    try:
        socket.create_server((host, port), family=_family(host)).close()
    except OSError:
        return False
    return True


def wait_for_port(host: str, port: int, data: DataFolder, *, patience: float, say: Callable[[str], None]) -> None:
    """Return when the port is free: the api of a system that was killed notices that, and needs some seconds to end.

    Returns at once when a system that is alive holds the folder, which is for its lock to say. Raises `BadInput` after
    `patience` seconds.
    """
    give_up, said = time.monotonic() + patience, False
    while not is_free(host, port) and not data.is_locked():
        if time.monotonic() >= give_up:
            raise _taken(port, _api_at(port, data))
        if not said:
            pid = _api_at(port, data)
            whom = f"the api of an earlier start (process {pid})" if pid else "whoever has it"
            say(f"port {port} (API_PORT) is taken: waiting up to {patience:g} s for {whom} to end")
            said = True
        time.sleep(_PAUSE_SECONDS)


def _taken(port: int, pid: int | None) -> BadInput:
    if pid is not None:
        return BadInput(
            f"API_PORT: port {port} is taken by the api of an earlier start, process {pid}, which does not end",
            hint=f"look at process {pid}, or unset API_PORT to get a free one",
        )
    return BadInput(
        f"API_PORT: port {port} is taken by another program",
        hint=f"`lsof -i :{port}` or `ss -ltnp` names it; unset API_PORT to get a free one",
    )


def _api_at(port: int, data: DataFolder) -> int | None:
    """The process of an api on this folder that serves at the port and is alive."""
    api = data.living_api()
    return api.pid if api is not None and urlsplit(api.url).port == port else None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
