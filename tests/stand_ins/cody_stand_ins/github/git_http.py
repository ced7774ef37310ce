"""The git smart protocol: `git http-backend` on the repositories, behind GitHub's rules for who may read and push."""

import asyncio
import base64
import gzip
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level
from cody_stand_ins.github.identities import Level, Token
from cody_stand_ins.github.push_report import with_reasons
from cody_stand_ins.github.pushes import NOTHING, branch_moved
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.refusal import Refusal
from cody_stand_ins.github.request import Answer, Request
from cody_stand_ins.github.world import World


class Command(Struct, frozen=True, kw_only=True):
    """What a push asks for one ref."""

    ref: str
    old: str
    new: str


class GitHttp:
    def __init__(self, world: World) -> None:
        self._world = world
        self._hooks = world.folder / ".hooks"
        self._hooks.mkdir(parents=True, exist_ok=True)
        hook = self._hooks / "update"
        hook.write_bytes((Path(__file__).parent / "update_hook.sh").read_bytes())
        hook.chmod(0o755)

    async def answer(self, request: Request) -> Answer:
        owner, name, *rest = request.segments
        service = request.query.get("service") or rest[-1]
        try:
            repository, token = self._admit(request, owner, name.removesuffix(".git"), service)
        except Refusal as refusal:
            return Answer(status=refusal.status, body=refusal.message.encode(), headers=refusal.headers)
        body = request.body if rest[-1] == "git-receive-pack" else b""
        commands = _commands(gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body)
        answer = await self._run(request, repository, token, "/".join(rest))
        self._follow(repository, commands, token)
        if not commands:
            return answer
        body = with_reasons(answer.body, _reasons(repository, commands))
        return Answer(status=answer.status, body=body, headers=answer.headers)

    def identity(self, request: Request) -> str:
        token = self._world.tokens.get(_credential(request.headers.get("authorization", "")) or "")
        return "" if token is None else token.identity

    def _admit(self, request: Request, owner: str, name: str, service: str) -> tuple[Repository, Token | None]:
        world, token = self._world, self._token(request)
        moved = world.moved.get(f"{owner}/{name}".lower())
        try:
            repository = world.repository(f"{owner}/{name}")
        except Refusal as refusal:
            raise self._unseen(token) from refusal
        found = level(world, token, repository)
        if not found or repository.polls_until_ready:
            repository.polls_until_ready = max(0, repository.polls_until_ready - 1)
            raise self._unseen(token)
        if moved is not None:
            rest = "/".join(request.path.split("/")[3:])
            query = f"?{request.query_text}" if request.query_text else ""
            raise Refusal(301, "", headers={"location": f"{request.origin}/{repository.full_name}.git/{rest}{query}"})
        if service == "git-receive-pack":
            self._require_push(repository, token, found)
        return repository, token

    def _token(self, request: Request) -> Token | None:
        value = _credential(request.headers.get("authorization", ""))
        if value is None:
            return None
        token = self._world.tokens.get(value)
        if token is None or (token.expires_at is not None and token.expires_at <= self._world.now()):
            raise Refusal(401, "Invalid username or token.", headers=_CHALLENGE)
        return token

    def _unseen(self, token: Token | None) -> Refusal:
        """Without a token GitHub asks for one, whether the repository is there or not."""
        if token is None:
            return Refusal(401, "Authentication required", headers=_CHALLENGE)
        return Refusal(404, "Repository not found.")

    def _require_push(self, repository: Repository, token: Token | None, found: Level) -> None:
        if token is None:
            raise Refusal(401, "Authentication required", headers=_CHALLENGE)
        if repository.archived:
            raise Refusal(403, "This repository was archived so it is read-only.")
        if found < Level.WRITE:
            raise Refusal(403, f"Permission to {repository.full_name}.git denied to {token.login}.")

    async def _run(self, request: Request, repository: Repository, token: Token | None, rest: str) -> Answer:
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=self._environment(request, repository, token, rest),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate(request.body)
        head, _, content = out.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode("latin-1").splitlines()]
        headers = {name.lower(): value for name, _, value in lines}
        status = int(headers.pop("status", "200" if headers else "500").split()[0])
        return Answer(status=status, body=content, headers=headers)

    def _environment(
        self, request: Request, repository: Repository, token: Token | None, rest: str
    ) -> Mapping[str, str]:
        options = {
            "safe.directory": "*",
            "http.receivepack": "true",
            "http.uploadpack": "true",
            "core.hooksPath": str(self._hooks),
            "receive.hideRefs": "refs/pull",
            "receive.advertisePushOptions": "true",
            "uploadpack.allowFilter": "true",
            "uploadpack.allowAnySHA1InWant": "true",
        }
        numbered = list(enumerate(options.items()))
        headers = request.headers
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._world.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": str(len(options)),
            **{f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in numbered},
            **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in numbered},
            "GIT_PROJECT_ROOT": str(repository.path),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "PATH_INFO": f"/{rest}",
            "QUERY_STRING": request.query_text,
            "REQUEST_METHOD": request.method,
            "REMOTE_USER": token.login if token else "",
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "STAND_IN_PROTECTED": " ".join(_protected(repository)),
            "STAND_IN_WORKFLOW": "yes" if token and token.allows("workflows", write=True) else "no",
            "STAND_IN_DEFAULT": f"refs/heads/{repository.default_branch}",
        }

    def _follow(self, repository: Repository, commands: Sequence[Command], token: Token | None) -> None:
        for command in commands:
            now = bare.ref_target(repository.path, command.ref) or NOTHING
            if token is None or now != command.new:
                continue
            self._world.pushed += 1
            if command.ref.startswith("refs/heads/"):
                branch = command.ref.removeprefix("refs/heads/")
                branch_moved(self._world, repository, branch, command.old, command.new, token.login)


def is_git(path: str) -> bool:
    return path.endswith(("/info/refs", "/git-upload-pack", "/git-receive-pack"))


_CHALLENGE = {"www-authenticate": 'Basic realm="GitHub"'}


def _protected(repository: Repository) -> Sequence[str]:
    return [f"refs/heads/{branch}" for branch, rules in repository.protections.items() if rules.restrict_pushes]


def _reasons(repository: Repository, commands: Sequence[Command]) -> Mapping[str, str]:
    """Why our hook refuses what it refuses."""
    protected = _protected(repository)
    workflow = "refusing to allow a token to create or update workflow without `workflow` scope"
    return {
        command.ref: "protected branch hook declined" if command.ref in protected else workflow for command in commands
    }


def _credential(authorization: str) -> str | None:
    """The token: the password of basic authentication, or its user where there is no password."""
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return value or None
    user, _, password = base64.b64decode(value).decode("utf-8", errors="replace").partition(":")
    return password if password not in {"", "x-oauth-basic"} else user


def _commands(body: bytes) -> Sequence[Command]:
    """The pkt-lines before the first flush: `old new ref`."""
    commands: list[Command] = []
    position = 0
    while (size := int(body[position : position + 4] or b"0", 16)) > 4:
        line = body[position + 4 : position + size].split(b"\0")[0].decode("utf-8", errors="surrogateescape").strip()
        if not line.startswith("shallow "):
            old, new, ref = line.split(" ", 2)
            commands.append(Command(ref=ref, old=old, new=new))
        position += size
    return commands
