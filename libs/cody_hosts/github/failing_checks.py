"""What failed on a commit, with the end of its log."""

import re
from http import HTTPStatus

from msgspec import Struct

from cody_hosts.github.api import Api, Request
from cody_hosts.github.credentials import target_of
from cody_hosts.github.errors import Subject
from cody_hosts.github.repositories import repo_url
from cody_jobs.errors import JobFailed
from cody_jobs.ports.pull_requests import FailedCheck

_FAILED = frozenset({"failure", "timed_out", "startup_failure", "action_required"})
_FAILED_STATES = frozenset({"failure", "error"})
_JOB = re.compile(r"/job/([0-9]+)")
_CHECKS_MOST = 100


class _Output(Struct, frozen=True, kw_only=True):
    title: str | None = None
    summary: str | None = None
    text: str | None = None


class _Run(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    conclusion: str | None = None
    html_url: str | None = None
    details_url: str | None = None
    output: _Output = _Output()


class _Runs(Struct, frozen=True, kw_only=True):
    check_runs: tuple[_Run, ...]


class _Status(Struct, frozen=True, kw_only=True):
    context: str
    state: str
    description: str | None = None
    target_url: str | None = None


class _Statuses(Struct, frozen=True, kw_only=True):
    statuses: tuple[_Status, ...]


class FailingChecks:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def of(self, repository: str, commit: str, *, logs: int = 10, most_bytes: int = 16_384) -> list[FailedCheck]:
        """Check runs and statuses that failed, up to a hundred of each. The first `logs` of them come with the last
        `most_bytes` of their log."""
        failed = [run for run in await self._runs(repository, commit) if run.conclusion in _FAILED]
        told = [await self._told(repository, run, most_bytes) for run in failed[:logs]]
        told += [_check(run, _summary(run, most_bytes)) for run in failed[logs:]]
        return told + [
            FailedCheck(name=one.context, conclusion=one.state, url=one.target_url, log=one.description or "")
            for one in await self._statuses(repository, commit)
            if one.state in _FAILED_STATES
        ]

    async def _runs(self, repository: str, commit: str) -> tuple[_Run, ...]:
        request = self._request(repository, f"commits/{commit}/check-runs", {"filter": "latest"})
        return (await self._api.fetch(_Runs, request)).check_runs

    async def _statuses(self, repository: str, commit: str) -> tuple[_Status, ...]:
        return (await self._api.fetch(_Statuses, self._request(repository, f"commits/{commit}/status", {}))).statuses

    async def _told(self, repository: str, run: _Run, most: int) -> FailedCheck:
        job = _JOB.search(run.details_url or run.html_url or "")
        log = await self._log(repository, job.group(1), most) if job else ""
        return _check(run, log or _summary(run, most))

    async def _log(self, repository: str, job: str, most: int) -> str:
        """Empty where there is none (any more), or none that we may read."""
        request = Request(
            what=f"read the log of a check of {repository}",
            url=f"{repo_url(repository)}/actions/jobs/{job}/logs",
            target=target_of(repository),
            redirects=False,
        )
        try:
            reply = await self._api.send(request)
        except JobFailed:
            return ""
        location = reply.headers.get("location")
        if reply.status == HTTPStatus.OK or location is None:
            return reply.content[-most:].decode(errors="replace")
        host = self._api.wire.addresses.host
        subject = Subject(what=request.what, lane="nobody", host=host, repeatable=True)
        return (await self._api.wire.tail(location, subject, most=most)).decode(errors="replace")

    def _request(self, repository: str, rest: str, params: dict[str, str]) -> Request:
        return Request(
            what=f"look at the checks of {repository}",
            url=f"{repo_url(repository)}/{rest}",
            target=target_of(repository),
            params={**params, "per_page": str(_CHECKS_MOST)},
        )


def _check(run: _Run, log: str) -> FailedCheck:
    return FailedCheck(name=run.name, conclusion=run.conclusion or "", url=run.html_url or run.details_url, log=log)


def _summary(run: _Run, most: int) -> str:
    parts = (run.output.title, run.output.summary, run.output.text)
    return "\n".join(part for part in dict.fromkeys(parts) if part)[-most:]
