"""Who pays in advance is asked again before an attempt that broke off is made once more."""

import pytest
from msgspec.structs import replace

from cody_jobs.models import FailureCode
from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind
from cody_worker.claude import BrokeOff, Claude, ClaudeRequest


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.ENDED_EARLY, FaultKind.ERROR_EVENT])
async def test_an_attempt_that_broke_off_is_not_made_again_unasked(
    claude: Claude, request_about_a_file: ClaudeRequest, stand_in: ClaudeStandIn, kind: FaultKind
) -> None:
    await stand_in.set_faults(Fault(kind=kind, times=1))
    with pytest.raises(BrokeOff) as failed:
        await claude.ask(replace(request_about_a_file, pay_once=True))
    assert (failed.value.code, failed.value.retryable) == (FailureCode.CLAUDE_UNAVAILABLE, True)
    assert len(failed.value.calls) == 1
    reply = await claude.ask(replace(request_about_a_file, pay_once=True))
    assert len(reply.calls) == 1


async def test_an_attempt_that_cost_nothing_is_made_again(
    claude: Claude, request_about_a_file: ClaudeRequest, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.SERVER_ERROR, times=2))
    reply = await claude.ask(replace(request_about_a_file, pay_once=True))
    assert len(reply.calls) == 1
