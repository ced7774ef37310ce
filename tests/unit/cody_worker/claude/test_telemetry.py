"""Spans and metrics of calls are there, and neither they nor the logs carry code, prompts or the key."""

import asyncio
import json
import os
import sys
from pathlib import Path

from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind

_PROGRAM = Path(__file__).with_name("traced_program.py")


async def test_calls_are_traced_and_counted_without_their_content(stand_in: ClaudeStandIn) -> None:
    await stand_in.set_faults(
        Fault(kind=FaultKind.OVERLOADED, times=1),
        Fault(kind=FaultKind.CUT, times=1),
        Fault(kind=FaultKind.NOT_JSON, times=1),
        Fault(kind=FaultKind.BAD_REQUEST, path="refused"),
    )
    environment = {
        **os.environ,
        "CLAUDE_BASE_URL": stand_in.url,
        "CLAUDE_API_KEY": stand_in.key,
        "ANTHROPIC_OPEN_TELEMETRY_CONTENT_MODE": "content",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_PROGRAM), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told = json.loads(out)
    spans = [span for span in told["spans"] if span["name"] == "anthropic.messages.create"]
    assert len(spans) == 5
    assert all(span["parent"] == "edit_file" for span in spans)
    assert any(span["attributes"].get("gen_ai.usage.output_tokens") for span in spans)
    assert all(span["attributes"]["gen_ai.request.model"] == "claude-sonnet-5-5" for span in spans)
    assert {"gen_ai.client.token.usage", "gen_ai.client.operation.duration", "cody.claude.cost"} <= set(told["metrics"])
    everything = out.decode() + err.decode()
    for secret in ("XYZZY_CODE", "XYZZY_PROMPT", stand_in.key, "XYZZY_KEY"):
        assert secret not in everything
    assert "claude_waiting" in err.decode()
