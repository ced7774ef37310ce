"""The steps of `PostgresJobStore`, one file per part of a job's life; each is a function on one connection."""
