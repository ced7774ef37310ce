"""One line for each event."""

from cody_cli.words import count, dollars
from cody_jobs.events import (
    ApprovalAwaited,
    BatchEnded,
    BatchSent,
    DispatchDelayed,
    Event,
    EventBody,
    FileDone,
    FilesChosen,
    JobApproved,
    JobCreated,
    JobDispatched,
    JobFinished,
    JobRetried,
    PlanEdited,
    PlanMade,
    RunFinished,
    RunReturned,
    RunStarted,
    SampleChosen,
)
from cody_jobs.models import RunOutcome
from cody_jobs.plan import PlanSource


def event_line(event: Event) -> str:
    return f"{event.at.astimezone():%H:%M:%S}  {event.id:>5}  {describe(event.body)}"


def describe(body: EventBody) -> str:
    match body:
        case JobCreated(repositories=number):
            return f"job created with {count(number, 'repository', 'repositories')}"
        case JobDispatched(attempt=attempt, shards=shards):
            return f"attempt {attempt}: handed to {count(shards, 'worker')}"
        case DispatchDelayed(reason=reason):
            return f"no workers yet, goes on being tried: {reason}"
        case SampleChosen(chosen=chosen):
            return f"sample chosen: {'; '.join(f'{one.repository} ({one.why})' for one in chosen)}"
        case ApprovalAwaited(queued=queued):
            return f"the sample is done: {count(queued, 'repository', 'repositories')} wait for an approval"
        case JobApproved(prompt_amended=amended, runs=runs):
            return f"approved{_amended(amended)}{_again(runs)}"
        case JobRetried(runs=runs, prompt_amended=amended):
            return f"{count(runs, 'repository', 'repositories')} queued again{_amended(amended)}"
        case JobFinished(status=status, failure=failure):
            return f"job {status.lower().replace('_', ' ')}{_because(failure.message if failure else None)}"
        case PlanMade():
            return _plan_line(body)
        case PlanEdited(by=by):
            return f"plan replaced by {by or 'somebody'}"
        case RunStarted(repository=name, attempt=attempt):
            return f"{name}: started (attempt {attempt})"
        case FilesChosen(repository=name, files=files):
            skipped = sum(files.skipped.values())
            return f"{name}: {count(files.candidates, 'file')} to ask about, {skipped} skipped"
        case FileDone():
            return _file_line(body)
        case BatchSent(batch_id=batch, requests=requests):
            return f"batch {batch}: {count(requests, 'request')} sent, answered within a day"
        case BatchEnded(batch_id=batch, succeeded=succeeded):
            unanswered = body.errored + body.canceled + body.expired
            return f"batch {batch}: {count(succeeded, 'answer')}{f', {unanswered} without' if unanswered else ''}"
        case RunReturned(repository=name, reason=reason):
            return f"{name}: waits for another worker: {reason}"
        case RunFinished():
            return _run_line(body)


def _plan_line(plan: PlanMade) -> str:
    match plan.source:
        case PlanSource.REQUEST:
            return "plan: the job brought its own"
        case PlanSource.PATTERNS:
            return "plan: the job's own patterns"
        case _:
            return f"plan made by {plan.model} ({'reused' if plan.reused else dollars(plan.cost_microusd)})"


def _file_line(file: FileDone) -> str:
    cost = "reused" if file.reused else dollars(file.cost_microusd)
    return f"{file.repository}: {file.path} {file.result} ({cost}){_because(file.detail)}"


def _run_line(run: RunFinished) -> str:
    if run.outcome is RunOutcome.ESTIMATED:
        return f"{run.repository}: estimated{_because(run.reason)}"
    outcome = run.outcome.replace("_", " ") if run.outcome else run.status.lower()
    files = f"{run.files.edited} edited, {run.files.unchanged} unchanged, {run.files.failed} failed"
    return f"{run.repository}: {outcome}: {files}{_because(run.failure.message if run.failure else run.reason)}"


def _amended(prompt_amended: bool) -> str:  # noqa: FBT001 (an event's field)
    return ", with an amended prompt" if prompt_amended else ""


def _again(runs: int) -> str:
    return f", {runs} of the sample again" if runs else ""


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
