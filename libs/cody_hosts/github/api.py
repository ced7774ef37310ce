"""Every request goes through here: who asks, when, how often, and what the answer means."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import msgspec
import stamina
from msgspec import Struct
from opentelemetry import trace

from cody_hosts.github.credentials import NO_TARGET, Access, Credential, Identity, Target
from cody_hosts.github.errors import Subject, judge, read_problem
from cody_hosts.github.governor import Governor, Kind
from cody_hosts.github.limits import Resource, read_headers, read_refusal
from cody_hosts.github.moved import Moved, new_place, repository_part
from cody_hosts.github.wire import JSON, Outgoing, Reply, Wire
from cody_jobs.errors import JobFailed, PerhapsDone, Unavailable
from cody_jobs.models import FailureCode
from cody_runtime import names
from cody_runtime.telemetry import get_tracer

T = TypeVar("T")
tracer = get_tracer(__name__)

_TRIES = 4
_REFUSALS = 5
_REDIRECTS = 4
_PAGE = 100
_ANOTHER_MAY = frozenset(
    {
        FailureCode.CODE_HOST_PERMISSION_MISSING,
        FailureCode.CODE_HOST_TOKEN_REFUSED,
        FailureCode.REPOSITORY_NOT_FOUND,
        FailureCode.BRANCH_PROTECTED,
    }
)
_WAIT_FIRST, _WAIT_MOST, _WAIT_JITTER = 0.2, 5.0, 0.2


class Request(Struct, frozen=True, kw_only=True):
    """`what` says it for people ("open a pull request in acme/web").

    `repeatable`: it may be made again where its answer was lost, because that leads to the same end; a POST that is not
    is made once, or is `PerhapsDone`. `redirects`: they are followed, where nothing is changed.
    """

    what: str
    url: str
    method: str = "GET"
    target: Target = NO_TARGET
    access: Access = Access.READ
    params: Mapping[str, str] = {}
    body: object = None
    accept: str = JSON
    resource: Resource = Resource.CORE
    kind: Kind = Kind.READ
    repeatable: bool | None = None
    redirects: bool = True

    @property
    def may_repeat(self) -> bool:
        return self.method != "POST" if self.repeatable is None else self.repeatable


class Api:
    """`identities` share the work: the one with room is asked first."""

    def __init__(
        self,
        wire: Wire,
        identities: Sequence[Identity],
        governor: Governor,
        *,
        patience: float = 90.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.wire = wire
        self._identities = tuple(identities)
        self._governor = governor
        self._patience = patience
        self._now = now

    async def fetch(self, kind: type[T], request: Request) -> T:
        """The answer, decoded. Raises `JobFailed`, `Unavailable`, `PerhapsDone`."""
        return self.decode((await self.send(request)).content, kind, request)

    async def fetch_all(self, kind: type[T], request: Request, *, most: int) -> tuple[list[T], bool]:
        """The items of all pages, up to `most`, and whether there are more."""
        params = {**request.params, "per_page": str(min(_PAGE, most))}
        request = msgspec.structs.replace(request, params=params)
        found = list[T]()
        while True:
            reply = await self.send(request)
            found += self.decode(reply.content, list[kind], request)
            following = reply.link("next")
            if following is None or len(found) >= most:
                return found[:most], following is not None or len(found) > most
            request = msgspec.structs.replace(request, url=following, params={})

    def decode(self, content: bytes, kind: type[T], request: Request) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as error:
            message = f"the answer is not what GitHub's API gives when we {request.what}"
            raise Unavailable(self.wire.addresses.host, message) from error

    async def send(self, request: Request) -> Reply:
        """The answer, if it is a success. Raises `JobFailed`, `Unavailable`, `PerhapsDone`."""
        async for attempt in stamina.retry_context(
            on=_passes,
            attempts=_TRIES,
            timeout=self._patience,
            wait_initial=_WAIT_FIRST,
            wait_max=_WAIT_MOST,
            wait_jitter=_WAIT_JITTER,
        ):
            with attempt:
                return await self._follow(request)
        raise AssertionError("stamina ends with a result or an error")

    async def credential(self, target: Target, access: Access) -> Credential:
        """A token for others than this Api: git. An account's own forks are its own to push to."""
        request = Request(what="get a token", url="", target=target, access=access)
        return (await self._choose(request, frozenset()))[1]

    async def _follow(self, request: Request) -> Reply:
        """Repositories that moved are read where they are now; a change is not made at a place that nobody named."""
        for _ in range(_REDIRECTS):
            reply = await self._patiently(request)
            if not (request.redirects and 300 <= reply.status < 400):
                return reply
            place = new_place(reply, self.wire)
            if request.kind is not Kind.READ:
                raise await self._moved(request, place)
            request = msgspec.structs.replace(request, url=place, params={})
        raise Unavailable(self.wire.addresses.host, f"redirects without end when we tried to {request.what}")

    async def _moved(self, request: Request, place: str) -> JobFailed:
        asked = Request(what="find a moved repository", url=repository_part(place), target=request.target)
        name = (await self.fetch(Moved, asked)).full_name
        return JobFailed(FailureCode.REPOSITORY_MOVED, f"{request.target.repository} has moved to {name}")

    async def _patiently(self, request: Request) -> Reply:
        """Through limits and tokens that ran out, which have done nothing; one who may not lets another one try."""
        refused = dict[Identity, JobFailed]()
        for _ in range(_REFUSALS + len(self._identities)):
            tried = len(refused)
            try:
                reply = await self._once(request, refused)
            except JobFailed as error:
                if len(refused) in {tried, len(self._identities)}:
                    # The first one's reason: the others were only asked because of it.
                    raise next(iter(refused.values()), error) from error.__cause__
                continue
            if reply is not None:
                return reply
        raise Unavailable(self.wire.addresses.host, f"limits us again and again when we try to {request.what}")

    async def _once(self, request: Request, refused: dict[Identity, JobFailed]) -> Reply | None:
        """None: not now, or not with this token; it is worth asking again."""
        identity, credential = await self._choose(request, refused)
        subject = self._subject(request, credential)
        async with self._governor.place(credential.lane, request.resource, request.kind) as place:
            reply = await self._traced(request, credential, subject)
            told = read_headers(reply.headers, now=self._now())
            problem = read_problem(reply.content) if reply.status >= 400 else None
            refusal = read_refusal(reply.status, told, problem.message) if problem else None
            if refusal is not None:
                await place.refused(refusal)
                return None
            place.answered(told)
        if problem is None:
            return reply
        if reply.status == 401 and identity.refused(credential):
            return None
        error = judge(reply.status, problem, subject)
        if isinstance(error, JobFailed) and error.code in _ANOTHER_MAY:
            refused[identity] = error
        raise error

    async def _choose(self, request: Request, refused: Collection[Identity]) -> tuple[Identity, Credential]:
        """The identity with room; those that may not see the target are no choice while another may."""
        found, missing = list[tuple[float, int, Identity, Credential]](), list[JobFailed]()
        for place, identity in enumerate(self._willing(request.target, refused)):
            try:
                credential = await identity.credential(request.target, request.access)
            except JobFailed as error:
                missing.append(error)
                continue
            wait = self._governor.wait(credential.lane, request.resource, request.kind)
            found.append((wait, place, identity, credential))
        if not found:
            raise missing[0]
        _, _, identity, credential = min(found, key=lambda choice: choice[:2])
        return identity, credential

    def _willing(self, target: Target, refused: Collection[Identity]) -> list[Identity]:
        willing = [identity for identity in self._identities if identity not in refused]
        owner = (target.owner or "").lower()
        return [one for one in willing if one.login is not None and one.login.lower() == owner] or willing

    async def _traced(self, request: Request, credential: Credential, subject: Subject) -> Reply:
        body = None if request.body is None else msgspec.json.encode(request.body)
        outgoing = Outgoing(
            method=request.method, url=request.url, params=request.params, body=body, accept=request.accept
        )
        if not trace.get_current_span().is_recording():
            return await self.wire.send(outgoing, credential, subject)
        attributes = {names.GITHUB_WHAT: request.what, names.GITHUB_LANE: credential.lane}
        with tracer.start_as_current_span(
            names.SPAN_GITHUB, kind=trace.SpanKind.CLIENT, attributes=attributes, record_exception=False
        ) as span:
            reply = await self.wire.send(outgoing, credential, subject)
            span.set_attribute(names.HTTP_STATUS, reply.status)
            return reply

    def _subject(self, request: Request, credential: Credential) -> Subject:
        host = self.wire.addresses.host
        return Subject(what=request.what, lane=credential.lane, host=host, repeatable=request.may_repeat)


def _passes(error: Exception) -> bool:
    """Who was told how long to wait, tells the caller; and nobody repeats what may have been done."""
    return isinstance(error, Unavailable) and not isinstance(error, PerhapsDone) and error.retry_after is None
