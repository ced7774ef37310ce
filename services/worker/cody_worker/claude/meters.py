"""Metrics of calls: tokens and duration under their GenAI names, cost under ours; and of what their limits leave."""

from collections.abc import Mapping

from cody_jobs.outcomes import CallUsage
from cody_runtime import names
from cody_runtime.telemetry import get_meter


class ClaudeMeters:
    def __init__(self) -> None:
        meter = get_meter("cody_worker.claude")
        self._tokens = meter.create_histogram(names.METRIC_TOKENS, unit="{token}", description="Tokens of a call")
        self._duration = meter.create_histogram(names.METRIC_CALL_DURATION, unit="s", description="Time of a call")
        self._cost = meter.create_counter(names.METRIC_COST, unit="{microUSD}", description="Cost of calls")

    def record(self, usage: CallUsage, *, timed: bool = True) -> None:
        about = {names.GEN_AI_OPERATION: "chat", names.GEN_AI_PROVIDER: "anthropic", names.GEN_AI_MODEL: usage.model}
        prompt = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
        self._tokens.record(prompt, {**about, names.GEN_AI_TOKEN_TYPE: "input"})
        self._tokens.record(usage.output_tokens, {**about, names.GEN_AI_TOKEN_TYPE: "output"})
        if timed:
            self._duration.record(usage.latency_ms / 1_000, about)
        self._cost.add(usage.cost_microusd, about)


class BatchMeters:
    def __init__(self) -> None:
        meter = get_meter("cody_worker.claude")
        self._waited = meter.create_histogram(names.METRIC_BATCH_WAIT, unit="s", description="Time of a batch")
        self._results = meter.create_counter(names.METRIC_BATCH_RESULTS, description="Requests in batches by result")

    def ended(self, seconds: float, results: Mapping[str, int]) -> None:
        self._waited.record(seconds)
        for result, count in results.items():
            self._results.add(count, {names.BATCH_RESULT: result})


class GovernorMeters:
    def __init__(self) -> None:
        meter = get_meter("cody_worker.claude")
        self._waited = meter.create_histogram(
            names.METRIC_ROOM_WAIT, unit="s", description="Time that calls waited for room"
        )
        self._used = meter.create_gauge(names.METRIC_LIMIT_USED, unit="1", description="Part of a limit that is used")
        self._refused = meter.create_counter(names.METRIC_REFUSED, description="Calls refused for a limit or overload")

    def waited(self, seconds: float, model: str) -> None:
        self._waited.record(seconds, {names.GEN_AI_MODEL: model})

    def used(self, kind: str, part: float, model: str) -> None:
        """`part` is 1 where nothing is left."""
        self._used.set(part, {names.GEN_AI_MODEL: model, names.LIMIT_KIND: kind})

    def refused(self, status: int, model: str) -> None:
        self._refused.add(1, {names.GEN_AI_MODEL: model, names.HTTP_STATUS: status})
