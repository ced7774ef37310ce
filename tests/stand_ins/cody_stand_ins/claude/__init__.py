"""A stand-in for the Claude API: speaks the Messages API over loopback, knows a few textual migrations, has faults to
switch on. `python -m cody_stand_ins.claude --port 0` starts it and prints its URL."""

from cody_stand_ins.claude.faults import Fault, FaultKind, Faults
from cody_stand_ins.claude.process import ClaudeStandIn, claude_stand_in
from cody_stand_ins.claude.stats import Stats

__all__ = ["ClaudeStandIn", "Fault", "FaultKind", "Faults", "Stats", "claude_stand_in"]
