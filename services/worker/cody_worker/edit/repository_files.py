"""The files of one repository on their way from a question to a staged and stored outcome."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace
from opentelemetry.metrics import Counter
from opentelemetry.trace import Span

from cody_jobs.errors import CodyError, JobFailed
from cody_jobs.models import Failure, FailureCode, Job
from cody_jobs.outcomes import FileOutcome, FileRecord, GaveUp, KnownOutcome
from cody_jobs.plan import Plan
from cody_jobs.ports import ResultStore
from cody_runtime import names
from cody_runtime.telemetry import get_tracer
from cody_worker.claude import Claude, ClaudeRequest, NoMoreAnswers
from cody_worker.claude.edit_protocol import stable_bytes
from cody_worker.edit.edit_together import edit_together, first_request, together
from cody_worker.edit.known_answer import stages_of
from cody_worker.edit.question import FileQuestion
from cody_worker.edit.questions import AT_ONCE, Group, Keyed, Questions
from cody_worker.edit.tally import Tally
from cody_worker.edit.warm_cache import AnnouncingClaude, WarmCache
from cody_worker.edit_file import FileAnswer, edit_file
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.scope import Candidate, NotACandidate
from cody_worker.git.staged_files import ChangedMeanwhile, FileStage
from cody_worker.money import Budget

tracer = get_tracer(__name__)


Holds = Callable[[ClaudeRequest], Awaitable[bool]]
"""Whether this very request was sent before, and its answer is there or on its way."""


class Shared(Struct, kw_only=True):
    """What all runs of a worker have together."""

    job: Job
    claude: Claude
    budget: Budget | None
    results: ResultStore
    stop: asyncio.Event
    model: str
    plan: Plan | None
    room: asyncio.Semaphore
    warm: WarmCache
    holds: Holds | None
    files: Counter
    being_asked: dict[str, asyncio.Event] = {}
    no_more: NoMoreAnswers | None = None


class RepositoryFiles:
    def __init__(self, shared: Shared, repository: str, target: RepositoryProcess, conventions: str) -> None:
        self.tally = Tally()
        self._shared = shared
        self._repository = repository
        self._target = target
        self._questions = Questions(
            shared.job.spec, shared.plan, model=shared.model, target=target, conventions=conventions
        )

    async def read(self, candidates: Sequence[Candidate], waiting: asyncio.Queue[Group | None], askers: int) -> None:
        """Hand on what has to be asked; end with a None for each asker."""
        for start in range(0, len(candidates), AT_ONCE):
            if self._shared.stop.is_set():
                self.tally.stopped = True
                break
            for group in await self._unanswered(candidates[start : start + AT_ONCE]):
                await waiting.put(group)
        for _ in range(askers):
            await waiting.put(None)

    async def answer(self, waiting: asyncio.Queue[Group | None]) -> None:
        while (group := await waiting.get()) is not None:
            free = tuple(question for question in group if question.key not in self._shared.being_asked)
            await self._answer(free)
            for question in group:
                if question not in free:
                    await self._answer_after_others(question)

    async def correct(self, path: str, note: str, *, mode: int, number: int) -> None:
        """Ask about a file once more, as it is staged: what the `note` says is wrong with it. Recorded beside the first
        answer."""
        data = await self._target.read_other(path, staged=True)
        if data is None:
            return
        question = self._questions.correcting(path, data, note, mode=mode, number=number)
        known = (await self._shared.results.find_outcomes([question.key])).get(question.key)
        if known is None or not await self._reuse(question, known):
            await self._answer_after_others(question)

    async def _unanswered(self, candidates: Sequence[Candidate]) -> list[Group]:
        questions = [await self._questions.about(candidate) for candidate in candidates]
        known = await self._shared.results.find_outcomes([question.key for question in questions])
        if self._shared.holds is None:
            return await self._questions.groups(await self._unknown(questions, known))
        # The same groups whatever is known: a request that is on its way is found again only as a whole.
        groups = await self._questions.groups(questions)
        left = [
            group if await self._is_held(group, known, self._shared.holds) else tuple(await self._unknown(group, known))
            for group in groups
        ]
        return [group for group in left if group]

    async def _is_held(self, group: Group, known: Mapping[str, KnownOutcome], holds: Holds) -> bool:
        """A part of its answers was stored, and the others are to be had without another request."""
        if len({question.key for question in group} & known.keys()) in {0, len(group)}:
            return False
        files = [await together(question.file) for question in group]
        return await holds(first_request(files, self._shared.claude.max_output_tokens))

    async def _unknown(self, questions: Sequence[Keyed], known: Mapping[str, KnownOutcome]) -> list[Keyed]:
        return [
            question
            for question in questions
            if question.key not in known or not await self._reuse(question, known[question.key])
        ]

    async def _answer_after_others(self, question: Keyed) -> None:
        """Another file of this worker with the very same question is on its way: its answer is ours, too."""
        while question.key in self._shared.being_asked:
            await self._shared.being_asked[question.key].wait()
            known = (await self._shared.results.find_outcomes([question.key])).get(question.key)
            if known is not None and await self._reuse(question, known):
                return
        await self._answer((question,))

    async def _answer(self, group: Group) -> None:
        """Nobody else is asking about these."""
        group = tuple({question.key: question for question in group}.values())
        if not group:
            return
        self._shared.being_asked |= {question.key: asyncio.Event() for question in group}
        try:
            async with self._shared.room:
                if self._shared.no_more is not None:
                    raise self._shared.no_more
                if self._shared.stop.is_set():
                    self.tally.stopped = True
                    return
                await self._ask(group)
        finally:
            for question in group:
                self._shared.being_asked.pop(question.key).set()

    async def _ask(self, group: Group) -> None:
        first = group[0].file
        attributes = {names.FILE_PATH: first.path, names.REPOSITORY: self._repository}
        with tracer.start_as_current_span(names.SPAN_EDIT_FILE, attributes=attributes) as span:
            async with self._shared.warm.sharing(self._shared.model, stable_bytes(first.task)) as begun:
                claude = self._claude(first)
                claude = claude if begun is None else AnnouncingClaude(claude, begun)
                await self._keep_all(group, claude, span)

    async def _keep_all(self, group: Group, claude: Claude, span: Span) -> None:
        left = list(group)
        try:
            async with aclosing(_answers(claude, group, self._target)) as answers:
                async for question, answer in answers:
                    left.remove(question)
                    span.set_attribute(names.FILE_OUTCOME, _kind(answer.outcome))
                    await self._keep(question, answer)
        except NoMoreAnswers as error:
            self._shared.no_more = error
            await self._record_unanswered(left[0], error)
            raise

    def _claude(self, file: FileQuestion) -> Claude:
        budget = self._shared.budget
        return self._shared.claude if budget is None else budget.for_file(self._repository, file.path)

    async def _keep(self, question: Keyed, answer: FileAnswer) -> None:
        """The record comes even where the repository cannot take the change: the calls were paid for."""
        try:
            outcome = await self._stage(answer.outcome, answer.stages)
        except JobFailed:
            await self._record(question, answer.outcome, answer)
            raise
        await self._record(question, outcome, answer)
        self.tally.add(question.file.path, outcome)

    async def _stage(self, outcome: FileOutcome, stages: tuple[FileStage, ...]) -> FileOutcome:
        try:
            if stages:
                await self._target.stage_together(stages)
        except (ChangedMeanwhile, NotACandidate) as error:
            return GaveUp(failure=_meanwhile(error))
        return outcome

    async def _record_unanswered(self, question: Keyed, error: NoMoreAnswers) -> None:
        """Calls that were paid for stay counted, although the job stops."""
        if error.calls:
            failure = Failure(code=FailureCode(error.code), message=error.message, retryable=error.retryable)
            record = self._empty_record(question, GaveUp(failure=failure))
            await self._shared.results.record_file(replace(record, calls=error.calls))

    async def _reuse(self, question: Keyed, known: KnownOutcome) -> bool:
        """False where it does not hold any more: what it rests on has changed, or a guard has become stricter."""
        stages = await stages_of(self._target, question.file, known.outcome)
        if stages is None or await self._stage(known.outcome, stages) is not known.outcome:
            return False
        record = replace(self._empty_record(question, known.outcome), reused_from=known.job_id)
        await self._shared.results.record_file(record)
        self._count(known.outcome)
        self.tally.add(question.file.path, known.outcome, reused=True)
        return True

    async def _record(self, question: Keyed, outcome: FileOutcome, answer: FileAnswer) -> None:
        record = replace(self._empty_record(question, outcome), calls=answer.calls, thread=answer.thread)
        await self._shared.results.record_file(record)
        self._count(outcome)

    def _empty_record(self, question: Keyed, outcome: FileOutcome) -> FileRecord:
        return FileRecord(
            job_id=self._shared.job.id,
            repository=self._repository,
            path=question.listed_as or question.file.path,
            question=question.key,
            outcome=outcome,
            calls=(),
            thread=None,
            reused_from=None,
        )

    def _count(self, outcome: FileOutcome) -> None:
        self._shared.files.add(1, {names.FILE_OUTCOME: _kind(outcome)})


async def _answers(claude: Claude, group: Group, target: RepositoryProcess) -> AsyncGenerator[tuple[Keyed, FileAnswer]]:
    if len(group) == 1:
        yield group[0], await edit_file(claude, group[0].file, target)
        return
    files = [await together(question.file) for question in group]
    async with aclosing(edit_together(claude, files, target)) as answers:
        async for number, answer in answers:
            yield group[number], answer


def _meanwhile(error: CodyError) -> Failure:
    return Failure(code=FailureCode.FILE_CHANGED_MEANWHILE, message=str(error), retryable=True)


def _kind(outcome: FileOutcome) -> str:
    return str(type(outcome).__struct_config__.tag)
