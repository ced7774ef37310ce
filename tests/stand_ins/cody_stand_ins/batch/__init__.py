"""A stand-in for AWS Batch and the part of CloudWatch Logs that belongs to it: jobs are processes of this machine.
`python -m cody_stand_ins.batch` starts it and prints its URL."""

from cody_stand_ins.batch.faults import Fault, FaultKind
from cody_stand_ins.batch.process import BatchStandIn, batch_stand_in
from cody_stand_ins.batch.stats import RunningJob, Stats

__all__ = ["BatchStandIn", "Fault", "FaultKind", "RunningJob", "Stats", "batch_stand_in"]
