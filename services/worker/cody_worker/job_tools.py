"""What all runs of one job share in one worker: who is asked, what that may cost, the plan, the editor, the judge."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from msgspec import Struct

from cody_backends.open_backends import Backends
from cody_jobs.models import Job
from cody_jobs.plan import Plan
from cody_jobs.ports import CodeHost
from cody_jobs.ports.money_store import Caps
from cody_worker.claude import Claude
from cody_worker.claude.batches.batched_claude import BatchedClaude
from cody_worker.claude.count_tokens import token_counter
from cody_worker.claude.prices import read_prices
from cody_worker.edit_files import FileEditor
from cody_worker.estimate_run import Estimator, EstimatorTools
from cody_worker.git.repository_process import GitLauncher
from cody_worker.job_commands import CommandPlace, JobCommands
from cody_worker.money import Budget
from cody_worker.money.purse import Waiting
from cody_worker.plan.job_planner import JobPlanner, PlannerTools
from cody_worker.run_judge import RunJudge
from cody_worker.run_repository import RunTools
from cody_worker.settings import WorkerSettings

_UNTIL_A_BATCH_HAS_ENDED = Waiting(poll=5.0, patience=2 * 86_400.0)


class Tools(Struct, frozen=True, kw_only=True):
    """What a worker works with. `owner` stands for this very process in the leases; `batched` is there for a job in the
    economy lane."""

    settings: WorkerSettings
    backends: Backends
    host: CodeHost
    git: GitLauncher
    claude: Claude
    command_place: CommandPlace
    owner: str
    batched: BatchedClaude | None = None


class JobTools:
    """In the economy lane, files and the judge are asked about in batches; the plan is not: everybody waits for it."""

    def __init__(self, tools: Tools, job: Job, *, attempt: int, stop: asyncio.Event) -> None:
        self._tools = tools
        self._job = job
        self._stop = stop
        self._model = job.spec.model or tools.settings.claude.claude_model
        self._count_tokens = token_counter(tools.claude)
        self._prices = read_prices(tools.settings.claude.claude_prices or "")
        self._lane: Claude = tools.claude if tools.batched is None else tools.batched
        self._budget = self._plain_budget() if tools.batched is None else self._batch_budget(tools.batched)
        self._judge = RunJudge(job, self._lane, tools.backends.results, model=self._model, budget=self._budget)
        self._commands = JobCommands(job.spec, tools.settings, tools.command_place)
        self._estimator = self._make_estimator()
        self._editor: FileEditor | None = None
        self.planner = self._make_planner(attempt)

    def for_runs(self) -> RunTools:
        return RunTools(
            settings=self._tools.settings,
            results=self._tools.backends.results,
            host=self._tools.host,
            git=self._tools.git,
            planner=self.planner,
            estimator=self._estimator,
            commands=self._commands,
            judge=self._judge.judge,
            editor_for=self._editor_for,
        )

    def _plain_budget(self) -> Budget:
        return Budget(
            self._tools.claude,
            self._tools.backends.money,
            self._prices,
            job_id=self._job.id,
            caps=Caps.of(self._job.spec),
            owner=self._tools.owner,
            name=lambda _: uuid4().hex,
            count_tokens=self._count_tokens,
        )

    def _batch_budget(self, batched: BatchedClaude) -> Budget:
        return Budget(
            batched,
            self._tools.backends.money,
            self._prices,
            job_id=self._job.id,
            caps=Caps.of(self._job.spec),
            owner=self._tools.owner,
            name=batched.name,
            count_tokens=self._count_tokens,
            batch=True,
            waiting=_UNTIL_A_BATCH_HAS_ENDED,
        )

    def _make_estimator(self) -> Estimator:
        tools = EstimatorTools(
            results=self._tools.backends.results,
            prices=self._prices,
            count_tokens=self._count_tokens,
            max_output_tokens=self._tools.claude.max_output_tokens,
            stop=self._stop,
        )
        return Estimator(tools, self._job, model=self._model)

    def _make_planner(self, attempt: int) -> JobPlanner:
        tools = PlannerTools(
            claude=self._plain_budget().for_file("", "(plan)"),
            results=self._tools.backends.results,
            owner=self._tools.owner,
            lease=timedelta(seconds=self._tools.settings.lease_seconds),
            stop=self._stop,
        )
        return JobPlanner(tools, self._job, attempt=attempt, model=self._model)

    def _editor_for(self, plan: Plan) -> FileEditor:
        """One for all runs: they share the plan, and the bound on files at once."""
        if self._editor is None:
            settings, batched = self._tools.settings, self._tools.batched
            self._editor = FileEditor(
                self._job,
                self._lane,
                self._tools.backends.results,
                self._stop,
                model=self._model,
                files_at_once=settings.files_at_once if batched is None else settings.economy_files_at_once,
                plan=plan,
                budget=self._budget,
                holds=None if batched is None else batched.holds,
            )
        return self._editor
