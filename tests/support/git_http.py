"""A code host on loopback: `git http-backend` behind a small threaded HTTP server, with faults to switch on."""

import base64
import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class GitHost:
    """Serves the repositories below `root`. Faults are set by name and last until they are changed.

    `token`: asked for, as the password of basic authentication; `status`: every request is answered with it;
    `redirect_to`: every request is sent to that host (with `moved`, a path and another: only those below the one, to
    the other); `hang`: requests are never answered; `cut_after`: packs end after that many bytes. `authorizations` has
    the Authorization header of each request that had one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.token: str | None = None
        self.status: int | None = None
        self.redirect_to: str | None = None
        self.moved: tuple[str, str] = ("", "")
        self.hang = False
        self.cut_after: int | None = None
        self.authorizations: list[str] = []
        self.asked = threading.Event()
        self.over = threading.Event()
        self.port = 0

    def url(self, repository: str) -> str:
        return f"http://127.0.0.1:{self.port}/{repository}"

    @contextmanager
    def serve(self) -> Generator["GitHost"]:
        host = self

        class Handler(_Handler):
            git_host = host

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="git-host")
            thread.start()
            try:
                yield self
            finally:
                self.over.set()
                server.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    git_host: GitHost

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._read_body())

    def _answer(self, body: bytes) -> None:
        host = self.git_host
        host.asked.set()
        authorization = self.headers.get("Authorization")
        if authorization:
            host.authorizations.append(authorization)
        if host.hang:
            host.over.wait()
            self.close_connection = True
        elif host.redirect_to is not None and self.path.startswith(host.moved[0]):
            self._reply(302, {"Location": host.redirect_to + self.path.replace(*host.moved, 1)})
        elif host.status is not None:
            self._reply(host.status, {})
        elif host.token is not None and not _is_allowed(authorization, host.token):
            self._reply(401, {"WWW-Authenticate": 'Basic realm="git"'})
        else:
            self._run_backend(body)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _run_backend(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.git_host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._reply(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _reply(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.git_host.cut_after
        if cut is not None and self.command == "POST":
            self.close_connection = True
            content = content[:cut]
        self.wfile.write(content)


def _is_allowed(authorization: str | None, token: str) -> bool:
    if authorization is None or not authorization.startswith("Basic "):
        return False
    return base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[2] == token
