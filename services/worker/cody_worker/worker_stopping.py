"""How a worker leaves work that is not done."""


class WorkerStopping(Exception):
    """The worker was asked to stop; what was in flight is stored."""
