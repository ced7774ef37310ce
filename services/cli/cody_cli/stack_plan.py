"""Which environment the programs of a machine get: the user's own, completed for one machine."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cody_cli.data_folder import DataFolder
from cody_cli.failures import BadInput
from cody_cli.local_repositories import OWNER
from cody_cli.output import tell
from cody_cli.ports import free_port, is_free, wait_for_port
from cody_cli.stack import StackPlan

_DEFAULT_PORT = 8080
_PORT_PATIENCE_SECONDS = 10.0
_WORKERS_PER_PROCESSOR = 2
_FILES_AT_ONCE = 8
_FILES_AT_ONCE_LIMIT = 256
_REPOSITORIES_PER_WORKER = 8


def plan_for_up(
    environment: Mapping[str, str],
    *,
    plain_logs: bool,
    say: Callable[[str], None] = tell,
    port_patience: float = _PORT_PATIENCE_SECONDS,
) -> StackPlan:
    """API_PORT where it is set, which is waited for, else 8080, else (taken by another program) a free port."""
    logs = {"LOG_FORMAT": "plain"} if plain_logs and not environment.get("LOG_FORMAT") else {}
    host = _host(environment)
    port = _asked_port(environment)
    if port is not None:
        wait_for_port(host, port, DataFolder(environment), patience=port_patience, say=say)
    else:
        port = _DEFAULT_PORT if is_free(host, _DEFAULT_PORT) else free_port(host)
    return _plan({**environment, **logs}, port, log_file=None)


def plan_for_run(
    environment: Mapping[str, str], *, local: bool, concurrency: int | None = None, repositories: int = 1
) -> StackPlan:
    """A stack for one command: a free port, logs in a file. `local`: it works on `local/…` whatever else is allowed."""
    data = DataFolder(environment)
    changes: dict[str, str] = {} if concurrency is None else limit_concurrency(concurrency, repositories, environment)
    allowed = environment.get("ALLOWED_REPOSITORIES", "").strip()
    if local and allowed:
        changes["ALLOWED_REPOSITORIES"] = f"{allowed},{OWNER}/*"
    changes["LOG_FORMAT"] = "plain"
    return _plan({**environment, **changes}, free_port(_host(environment)), log_file=data.log_file)


def limit_concurrency(calls: int, repositories: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Settings with which never more than `calls` calls to Claude are under way at once on this machine.

    As few workers as the repositories and the processors make sensible, each with as many files at once as fit:
    WORKERS_AT_ONCE x FILES_AT_ONCE <= calls.
    """
    per_worker = environment.get("REPOSITORIES_PER_WORKER", "")
    shards = -(
        -repositories // (int(per_worker) if per_worker.isdecimal() and int(per_worker) else _REPOSITORIES_PER_WORKER)
    )
    processors = _WORKERS_PER_PROCESSOR * (os.cpu_count() or 1)
    workers = max(1, min(shards, calls // _FILES_AT_ONCE, processors))
    return {"WORKERS_AT_ONCE": str(workers), "FILES_AT_ONCE": str(min(calls // workers, _FILES_AT_ONCE_LIMIT))}


def repositories_root(environment: Mapping[str, str]) -> Path:
    asked = environment.get("REPOSITORIES_ROOT", "").strip()
    return Path(asked).expanduser().absolute() if asked else DataFolder(environment).repositories


def _plan(environment: Mapping[str, str], port: int, *, log_file: Path | None) -> StackPlan:
    data, host = DataFolder(environment), _host(environment)
    root = repositories_root(environment)
    if root == data.repositories:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    settled = {
        "CODY_DATA": str(data.path),
        "API_HOST": host,
        "API_PORT": str(port),
        "REPOSITORIES_ROOT": str(root),
        "ALLOWED_REPOSITORIES": environment.get("ALLOWED_REPOSITORIES", "").strip() or f"{OWNER}/*",
    }
    shown_host = f"[{host}]" if ":" in host else host
    return StackPlan(environment={**environment, **settled}, url=f"http://{shown_host}:{port}", log_file=log_file)


def _host(environment: Mapping[str, str]) -> str:
    return environment.get("API_HOST", "").strip() or "127.0.0.1"


def _asked_port(environment: Mapping[str, str]) -> int | None:
    """The port that the user set."""
    asked = environment.get("API_PORT", "").strip()
    if not asked:
        return None
    if not asked.isdecimal() or not 0 < int(asked) < 65536:
        raise BadInput(f"API_PORT: {asked!r} is not a port number (1 to 65535)")
    return int(asked)
