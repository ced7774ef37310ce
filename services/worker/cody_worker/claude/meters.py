"""Metrics of calls: tokens and duration under their GenAI names, cost under ours."""

from cody_jobs.outcomes import CallUsage
from cody_runtime import names
from cody_runtime.telemetry import get_meter


class ClaudeMeters:
    def __init__(self) -> None:
        meter = get_meter("cody_worker.claude")
        self._tokens = meter.create_histogram(names.METRIC_TOKENS, unit="{token}", description="Tokens of a call")
        self._duration = meter.create_histogram(names.METRIC_CALL_DURATION, unit="s", description="Time of a call")
        self._cost = meter.create_counter(names.METRIC_COST, unit="{microUSD}", description="Cost of calls")

    def record(self, usage: CallUsage) -> None:
        about = {names.GEN_AI_OPERATION: "chat", names.GEN_AI_PROVIDER: "anthropic", names.GEN_AI_MODEL: usage.model}
        prompt = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
        self._tokens.record(prompt, {**about, names.GEN_AI_TOKEN_TYPE: "input"})
        self._tokens.record(usage.output_tokens, {**about, names.GEN_AI_TOKEN_TYPE: "output"})
        self._duration.record(usage.latency_ms / 1_000, about)
        self._cost.add(usage.cost_microusd, about)
