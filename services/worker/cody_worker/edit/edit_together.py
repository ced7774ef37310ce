"""Several small files in one request. Each is answered for itself; one that is not is asked about again, alone."""

from collections.abc import AsyncGenerator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.errors import JobFailed
from cody_jobs.outcomes import CallUsage, ClaudeThread, ThreadMessage
from cody_worker.claude import Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, NoMoreAnswers, StopReason
from cody_worker.claude.edit_protocol import ShownFile, opening, said
from cody_worker.claude.problem import Problem
from cody_worker.claude.read_reply import Looks, Said, read_reply
from cody_worker.edit.change import Changed
from cody_worker.edit.conversation import Told, judge, request
from cody_worker.edit.look_around import Lookable, LookAround
from cody_worker.edit.question import FileQuestion
from cody_worker.edit.questions import first_view_of
from cody_worker.edit_file import FileAnswer, edit_file
from cody_worker.windows import View

_WHOLE = frozenset({StopReason.TOOL_USE, StopReason.END_TURN, StopReason.OTHER})


class Together(Struct, frozen=True, kw_only=True):
    """A file of a group, and what is shown of it."""

    question: FileQuestion
    view: View


async def edit_together(
    claude: Claude, files: Sequence[Together], repository: Lookable | None = None
) -> AsyncGenerator[tuple[int, FileAnswer]]:
    """Each file's place and its answer, as soon as it is there. What the common request has cost is told with the first
    one. Raises as `edit_file` does."""
    asked = await _ask_all(claude, files)
    calls = asked.calls
    for number, file in enumerate(files):
        try:
            answer = await _answer(claude, file, asked, repository)
        except NoMoreAnswers as error:
            error.calls = (*calls, *error.calls)
            raise
        yield number, _with_calls(answer, calls)
        calls = ()


async def together(question: FileQuestion) -> Together:
    """The file, as it is shown at first."""
    return Together(question=question, view=await first_view_of(question))


def first_request(files: Sequence[Together], limit: int) -> ClaudeRequest:
    """Also about a single file."""
    question = files[0].question
    messages = opening(question.task, [ShownFile(path=file.question.path, view=file.view) for file in files])
    return request(question, messages, limit)


class _Asked(Struct, frozen=True, kw_only=True):
    said: dict[str, Said]
    messages: tuple[ThreadMessage, ...]
    calls: tuple[CallUsage, ...]


async def _ask_all(claude: Claude, files: Sequence[Together]) -> _Asked:
    asked = first_request(files, claude.max_output_tokens)
    messages = asked.messages
    try:
        reply = await claude.ask(asked)
    except NoMoreAnswers:
        raise
    except JobFailed as error:
        calls = error.calls if isinstance(error, ClaudeFailed) else ()
        return _Asked(said={}, messages=messages, calls=calls)
    read = _read(reply, files) if reply.stop in _WHOLE else {}
    return _Asked(said=read, messages=(*messages, *said(reply)), calls=reply.calls)


def _read(reply: ClaudeReply, files: Sequence[Together]) -> dict[str, Said]:
    return read_reply(reply, [file.question.path for file in files], files[0].question.job_type)


async def _answer(claude: Claude, file: Together, asked: _Asked, repository: Lookable | None) -> FileAnswer:
    found = asked.said.get(file.question.path)
    told = Told(messages=asked.messages)
    if isinstance(found, Looks):
        told = await _shown(found, file.view, repository, told)
    elif found is not None:
        settled = await judge(file.question, file.view, found, repository)
        if not isinstance(settled, Problem):
            thread = ClaudeThread(path=file.question.path, model=file.question.model, messages=asked.messages)
            if isinstance(settled, Changed):
                return FileAnswer(
                    outcome=settled.outcome,
                    new_data=settled.new_data,
                    calls=(),
                    thread=thread,
                    stages=settled.stages,
                )
            return FileAnswer(outcome=settled, new_data=None, calls=(), thread=thread)
        told = replace(told, notes=(f"An earlier answer about this file could not be used. {settled.told}",))
    return await edit_file(claude, file.question, repository, told=told)


async def _shown(looks: Looks, view: View, repository: Lookable | None, told: Told) -> Told:
    """What was asked to be seen, for whoever answers alone."""
    around = LookAround(repository)
    shown: list[str] = []
    for look in looks.wanted:
        text, view = await around.answer(look, view)
        shown.append(text)
    return replace(told, notes=tuple(shown), seen=tuple(around.seen))


def _with_calls(answer: FileAnswer, calls: tuple[CallUsage, ...]) -> FileAnswer:
    return replace(answer, calls=(*calls, *answer.calls))
