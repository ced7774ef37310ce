"""What may not happen to a file, whoever asks for it: each guard is a pure function over old and new bytes."""

from cody_worker.guards.check import check_change
from cody_worker.guards.finding import Change, Finding, GuardName, GuardRules

__all__ = ["Change", "Finding", "GuardName", "GuardRules", "check_change"]
