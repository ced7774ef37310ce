"""What a run would ask Claude, and what that would cost. Nothing is asked or changed."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.estimates import RepositoryEstimate
from cody_jobs.models import Job, RunOutcome, RunSucceeded
from cody_jobs.outcomes import KnownOutcome
from cody_jobs.plan import Plan
from cody_jobs.ports import ResultStore
from cody_jobs.steps import Judge, Lane, codemods_of, verify_commands_of
from cody_worker.claude.count_tokens import CountTokens
from cody_worker.claude.edit_protocol import Task, stable_bytes
from cody_worker.claude.prices import Prices
from cody_worker.edit.conventions import read_conventions
from cody_worker.edit.edit_together import first_request, together
from cody_worker.edit.known_answer import stages_of
from cody_worker.edit.questions import AT_ONCE, Group, Keyed, Questions
from cody_worker.edit_files import WorkerStopping
from cody_worker.estimate import Asking, RequestFacts, estimate_repository
from cody_worker.estimate_tokens import TokensPerByte
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.scope import Candidate, Scope
from cody_worker.judge_diff import judge_request
from cody_worker.money.prompt_size import prompt_bytes


class EstimatorTools(Struct, frozen=True, kw_only=True):
    """`count_tokens` is None where nobody can be asked how many tokens a prompt has."""

    results: ResultStore
    prices: Prices
    count_tokens: CountTokens | None
    max_output_tokens: int
    stop: asyncio.Event


class Estimator:
    """One per worker: what one of its runs would pay for is there for the others, as in a real job."""

    def __init__(self, tools: EstimatorTools, job: Job, *, model: str) -> None:
        self._tools = tools
        self._job = job
        self._model = model
        self._tokens_per_byte = TokensPerByte(tools.count_tokens)
        self._firsts: dict[str | bytes, str] = {}

    async def estimate(
        self, repository: str, target: RepositoryProcess, plan: Plan, scope: Scope
    ) -> RepositoryEstimate:
        """Raises `WorkerStopping`."""
        conventions = await read_conventions(target) if scope.candidates else ""
        spec = self._job.spec
        questions = Questions(spec, plan, model=self._model, target=target, conventions=conventions)
        requests: list[RequestFacts] = []
        for start in range(0, len(scope.candidates), AT_ONCE):
            if self._tools.stop.is_set():
                raise WorkerStopping
            new = await self._unknown(repository, target, questions, scope.candidates[start : start + AT_ONCE])
            requests += [await self._facts(group) for group in await questions.groups(new)]
        task = Task(prompt=spec.prompt, job_type=spec.type, plan=plan, conventions=conventions)
        return estimate_repository(
            repository,
            requests,
            self._asking(task, cold=self._cold(repository, task) if requests else 0),
            self._tools.prices,
            known=len(scope.candidates) - sum(request.files for request in requests),
            notes=self._notes(),
        )

    async def _unknown(
        self, repository: str, target: RepositoryProcess, questions: Questions, candidates: Sequence[Candidate]
    ) -> list[Keyed]:
        asked = [await questions.about(candidate) for candidate in candidates]
        known = await self._tools.results.find_outcomes([question.key for question in asked])
        return [
            question
            for question in asked
            if not await _holds(target, question, known.get(question.key)) and self._is_first(repository, question.key)
        ]

    def _is_first(self, repository: str, asked: str | bytes) -> bool:
        """Whether no other run of this worker comes with it."""
        return self._firsts.setdefault(asked, repository) == repository

    async def _facts(self, group: Group) -> RequestFacts:
        files = [await together(question.file) for question in group]
        request = first_request(files, self._tools.max_output_tokens)
        await self._tokens_per_byte.learn(request)
        return RequestFacts(
            size=max(0, prompt_bytes(request) - len(stable_bytes(files[0].question.task))),
            files=len(files),
            matches=sum(len(file.question.matches) for file in files),
        )

    def _cold(self, repository: str, task: Task) -> int:
        """How many bytes of what all its requests begin with no other run of this worker begins with."""
        own, shared = stable_bytes(task), stable_bytes(replace(task, conventions=""))
        own_is_new, shared_is_new = self._is_first(repository, own), self._is_first(repository, shared)
        if shared_is_new:
            return len(own)
        return len(own) - len(shared) if own_is_new else 0

    def _asking(self, task: Task, *, cold: int) -> Asking:
        spec = self._job.spec
        judge = judge_request(self._model, spec.prompt, b"", limit=1) if spec.judge is not Judge.OFF else None
        return Asking(
            model=self._model,
            prefix=len(stable_bytes(task)),
            cold=cold,
            tokens_per_byte=self._tokens_per_byte.value,
            batch=spec.lane is Lane.ECONOMY,
            judge=None if judge is None else prompt_bytes(judge),
        )

    def _notes(self) -> list[str]:
        spec, notes = self._job.spec, list[str]()
        if codemods_of(spec.steps):
            notes.append("the codemods were not run: this is about the files as they are")
        if verify_commands_of(spec.steps):
            notes.append("the verify commands were not run: what they find costs more calls")
        if self._tools.prices.known(self._model) is None:
            notes.append(f"no price of {self._model} is known: it counts as the dearest model")
        return notes


async def _holds(target: RepositoryProcess, question: Keyed, known: KnownOutcome | None) -> bool:
    return known is not None and await stages_of(target, question.file, known.outcome) is not None


def estimated(estimate: RepositoryEstimate, scope: Scope) -> RunSucceeded:
    counts = replace(scope.counts, reused=estimate.known)
    return RunSucceeded(outcome=RunOutcome.ESTIMATED, reason=_words(estimate, counts.examined), files=counts)


def _words(estimate: RepositoryEstimate, examined: int) -> str:
    known = f"{_count(estimate.known, 'answer')} {'is' if estimate.known == 1 else 'are'} known"
    known = f"; {known}" if estimate.known else ""
    notes = "".join(f"; {note}" for note in estimate.notes)
    if not estimate.calls.high:
        return f"would ask about none of {_count(examined, 'file')}: $0{known}{notes}"
    asked = f"{estimate.candidates} of {_count(examined, 'file')} in {_count(estimate.calls.expected, 'request')}"
    return f"would ask about {asked}, about {_money(estimate)}{known}{notes}"


def _money(estimate: RepositoryEstimate) -> str:
    cost = estimate.cost_microusd
    digits = 2 if cost.expected >= 100_000 else 4
    low, expected, high = (f"{microusd / 1_000_000:.{digits}f}" for microusd in (cost.low, cost.expected, cost.high))
    return f"${expected} ({low} to {high})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
