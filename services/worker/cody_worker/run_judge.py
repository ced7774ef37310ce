"""The opinion on each repository's diff: asked once, kept like an answer about a file, and never paid for twice."""

import hashlib

from cody_jobs.models import Failure, FailureCode, Job
from cody_jobs.outcomes import FileOutcome, FileRecord, Finding, GaveUp, Reported, RunPatch, Severity
from cody_jobs.ports import ResultStore
from cody_jobs.verdicts import Doubt, NoVerdict, Verdict
from cody_runtime.logs import get_logger
from cody_worker.claude import Claude
from cody_worker.judge_diff import JUDGE_PATH, Judgement, judge_diff, shows_whole
from cody_worker.money import Budget
from cody_worker.prompts import prompt_text

log = get_logger(__name__)

_MEETS, _FALLS_SHORT = "meets the task: ", "falls short: "


class RunJudge:
    """One per worker."""

    def __init__(self, job: Job, claude: Claude, results: ResultStore, *, model: str, budget: Budget | None) -> None:
        self._job = job
        self._claude = claude
        self._results = results
        self._model = model
        self._budget = budget

    async def judge(self, repository: str, patch: RunPatch) -> Verdict | NoVerdict:
        """Raises `NoMoreAnswers`."""
        question = self._question(patch)
        known = (await self._results.find_outcomes([question])).get(question)
        if known is not None and isinstance(known.outcome, Reported):
            await self._record(repository, question, known.outcome, reused_from=known.job_id)
            return _verdict_from(known.outcome, patch)
        claude = self._claude if self._budget is None else self._budget.for_file(repository, JUDGE_PATH)
        judgement = await judge_diff(claude, model=self._model, prompt=self._job.spec.prompt, diff=patch.patch)
        await self._record(repository, question, _outcome(judgement), judgement=judgement)
        if isinstance(judgement.verdict, NoVerdict):
            log.warning("no_verdict", repository=repository, reason=judgement.verdict.reason)
        return judgement.verdict

    def _question(self, patch: RunPatch) -> str:
        digest = hashlib.sha256()
        for part in (self._model.encode(), prompt_text("judge").encode(), self._job.spec.prompt.encode(), patch.patch):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.hexdigest()

    async def _record(
        self,
        repository: str,
        question: str,
        outcome: FileOutcome,
        *,
        judgement: Judgement | None = None,
        reused_from: str | None = None,
    ) -> None:
        await self._results.record_file(
            FileRecord(
                job_id=self._job.id,
                repository=repository,
                path=JUDGE_PATH,
                question=question,
                outcome=outcome,
                calls=judgement.calls if judgement else (),
                thread=judgement.thread if judgement else None,
                reused_from=reused_from,
            )
        )


def _outcome(judgement: Judgement) -> FileOutcome:
    verdict = judgement.verdict
    if isinstance(verdict, NoVerdict):
        failure = Failure(code=FailureCode.CLAUDE_REPLY_UNUSABLE, message=verdict.reason, retryable=True)
        return GaveUp(failure=failure)
    findings = tuple(
        Finding(line=1, severity=Severity.WARNING, text=f"{doubt.path}: {doubt.text}") for doubt in verdict.doubts
    )
    return Reported(findings=findings, reason=f"{_MEETS if verdict.meets else _FALLS_SHORT}{verdict.reason}")


def _verdict_from(reported: Reported, patch: RunPatch) -> Verdict:
    meets = reported.reason.startswith(_MEETS)
    doubts: list[Doubt] = []
    for finding in reported.findings:
        path, _, text = finding.text.partition(": ")
        doubts.append(Doubt(path=path, text=text))
    return Verdict(
        meets=meets,
        reason=reported.reason.removeprefix(_MEETS if meets else _FALLS_SHORT),
        doubts=tuple(doubts),
        shown_whole=shows_whole(patch.patch),
    )
