"""What a job may spend: every call is paid for in advance, at the most that it can cost."""

from cody_worker.money.budget import Budget, JobCapReached

__all__ = ["Budget", "JobCapReached"]
