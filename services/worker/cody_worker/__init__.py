"""The worker: takes one shard of a job, changes code in its repositories, and leaves patches."""
