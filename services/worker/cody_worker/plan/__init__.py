"""The plan of a job: made once, by one worker, for all repositories."""
