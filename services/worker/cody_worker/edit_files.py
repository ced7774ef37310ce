"""All candidate files of one repository: reuse what is known, ask about the rest, store each outcome at once."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.models import Failure, FailureCode, FileCounts, Job
from cody_jobs.outcomes import (
    CallUsage,
    ClaudeThread,
    Edited,
    FileOutcome,
    FileRecord,
    GaveUp,
    KnownOutcome,
    LeftAlone,
    Reported,
)
from cody_jobs.plan import Plan
from cody_jobs.ports import ResultStore
from cody_runtime import names
from cody_runtime.tasks import task_group
from cody_runtime.telemetry import get_meter, get_tracer
from cody_worker.claude import Claude, NoMoreAnswers
from cody_worker.edit_file import FileQuestion, edit_file, question_key, reapply
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.scope import Candidate, Scope

tracer = get_tracer(__name__)

_BATCH = 32
"""Files that are read, and looked up among the known outcomes, in one go."""


class WorkerStopping(Exception):
    """The worker was asked to stop; what was in flight is stored."""


class EditedFiles(Struct, frozen=True, kw_only=True):
    """The edited files are staged in the repository process. `failed` are the ones that were given up; `main_reason`
    is the most frequent reason for leaving a file as it is."""

    failed: Mapping[str, GaveUp]
    counts: FileCounts
    main_reason: str


class _Question(Struct, frozen=True, kw_only=True):
    key: str
    file: FileQuestion


class FileEditor:
    """One per worker: its runs share the bound on files at once, and the same question is asked only once."""

    def __init__(
        self,
        job: Job,
        claude: Claude,
        results: ResultStore,
        stop: asyncio.Event,
        *,
        model: str,
        files_at_once: int,
        plan: Plan | None = None,
    ) -> None:
        self._job = job
        self._plan = plan
        self._claude = claude
        self._results = results
        self._stop = stop
        self._model = model
        self._files_at_once = files_at_once
        self._room = asyncio.Semaphore(files_at_once)
        self._being_asked: dict[str, asyncio.Event] = {}
        self._no_more: NoMoreAnswers | None = None
        self._files = get_meter(__name__).create_counter(names.METRIC_FILES, description="Files by outcome")

    async def edit_files(self, repository: str, target: RepositoryProcess, scope: Scope) -> EditedFiles:
        """Raises `WorkerStopping` when not all files are done, `JobFailed` when the whole job has to stop."""
        tally = _Tally(target)
        waiting: asyncio.Queue[_Question | None] = asyncio.Queue(maxsize=self._files_at_once)
        askers = min(self._files_at_once, len(scope.candidates))
        async with task_group() as group:
            group.create_task(self._read(repository, target, scope.candidates, waiting, askers, tally), name="read")
            for _ in range(askers):
                group.create_task(self._answer(repository, waiting, tally), name="answer")
        if tally.stopped:
            raise WorkerStopping
        return tally.sum_up(scope.counts)

    async def _read(
        self,
        repository: str,
        target: RepositoryProcess,
        candidates: Sequence[Candidate],
        waiting: asyncio.Queue[_Question | None],
        askers: int,
        tally: "_Tally",
    ) -> None:
        for start in range(0, len(candidates), _BATCH):
            if self._stop.is_set():
                tally.stopped = True
                break
            questions = await self._questions(target, candidates[start : start + _BATCH])
            known = await self._results.find_outcomes([question.key for question in questions])
            for question in questions:
                if question.key in known:
                    await self._reuse(repository, question, known[question.key], tally)
                else:
                    await waiting.put(question)
        for _ in range(askers):
            await waiting.put(None)

    async def _questions(self, target: RepositoryProcess, candidates: Sequence[Candidate]) -> list[_Question]:
        files = [self._file(candidate.path, await target.read_file(candidate.path)) for candidate in candidates]
        return [_Question(key=question_key(file), file=file) for file in files]

    def _file(self, path: str, data: bytes) -> FileQuestion:
        spec = self._job.spec
        return FileQuestion(
            path=path, data=data, prompt=spec.prompt, job_type=spec.type, model=self._model, plan=self._plan
        )

    async def _answer(self, repository: str, waiting: asyncio.Queue[_Question | None], tally: "_Tally") -> None:
        while (question := await waiting.get()) is not None:
            known = await self._wait_for_same_question(question.key)
            if known is not None:
                await self._reuse(repository, question, known, tally)
                continue
            try:
                async with self._room:
                    if self._no_more is not None:
                        raise self._no_more
                    if self._stop.is_set():
                        tally.stopped = True
                        continue
                    await self._ask(repository, question, tally)
            finally:
                self._being_asked.pop(question.key).set()

    async def _wait_for_same_question(self, key: str) -> KnownOutcome | None:
        """Another file of this worker with the very same question may be on its way: its answer is ours, too."""
        while key in self._being_asked:
            await self._being_asked[key].wait()
            known = (await self._results.find_outcomes([key])).get(key)
            if known is not None:
                return known
        self._being_asked[key] = asyncio.Event()
        return None

    async def _ask(self, repository: str, question: _Question, tally: "_Tally") -> None:
        attributes = {names.FILE_PATH: question.file.path, names.REPOSITORY: repository}
        with tracer.start_as_current_span(names.SPAN_EDIT_FILE, attributes=attributes) as span:
            try:
                answer = await edit_file(self._claude, question.file)
            except NoMoreAnswers as error:
                self._no_more = error
                await self._record_unanswered(repository, question, error)
                raise
            span.set_attribute(names.FILE_OUTCOME, _kind(answer.outcome))
        await self._record(repository, question, answer.outcome, calls=answer.calls, thread=answer.thread)
        await tally.add(question.file.path, answer.outcome, answer.new_data)

    async def _record_unanswered(self, repository: str, question: _Question, error: NoMoreAnswers) -> None:
        """Calls that were paid for stay counted, although the job stops."""
        if error.calls:
            failure = Failure(code=FailureCode(error.code), message=error.message, retryable=error.retryable)
            await self._record(repository, question, GaveUp(failure=failure), calls=error.calls)

    async def _reuse(self, repository: str, question: _Question, known: KnownOutcome, tally: "_Tally") -> None:
        await self._record(repository, question, known.outcome, reused_from=known.job_id)
        new_data = reapply(question.file, known.outcome) if isinstance(known.outcome, Edited) else None
        await tally.add(question.file.path, known.outcome, new_data, reused=True)

    async def _record(
        self,
        repository: str,
        question: _Question,
        outcome: FileOutcome,
        *,
        calls: tuple[CallUsage, ...] = (),
        thread: ClaudeThread | None = None,
        reused_from: str | None = None,
    ) -> None:
        self._files.add(1, {names.FILE_OUTCOME: _kind(outcome)})
        await self._results.record_file(
            FileRecord(
                job_id=self._job.id,
                repository=repository,
                path=question.file.path,
                question=question.key,
                outcome=outcome,
                calls=calls,
                thread=thread,
                reused_from=reused_from,
            )
        )


class _Tally:
    """What has become of the files so far; new contents go to the repository process at once."""

    def __init__(self, target: RepositoryProcess) -> None:
        self.stopped = False
        self._target = target
        self._edited = 0
        self._failed: dict[str, GaveUp] = {}
        self._reasons: Counter[str] = Counter()
        self._reused = 0

    async def add(self, path: str, outcome: FileOutcome, new_data: bytes | None, *, reused: bool = False) -> None:
        self._reused += reused
        match outcome:
            case Edited():
                assert new_data is not None
                await self._target.stage({path: new_data})
                self._edited += 1
            case LeftAlone(reason=reason) | Reported(reason=reason):
                self._reasons[reason] += 1
            case GaveUp():
                self._failed[path] = outcome

    def sum_up(self, counts: FileCounts) -> EditedFiles:
        counts = replace(
            counts,
            edited=self._edited,
            unchanged=self._reasons.total(),
            failed=len(self._failed),
            reused=self._reused,
        )
        main_reason = self._reasons.most_common(1)[0][0] if self._reasons else ""
        return EditedFiles(failed=self._failed, counts=counts, main_reason=main_reason)


def _kind(outcome: FileOutcome) -> str:
    return str(type(outcome).__struct_config__.tag)
