"""The commands of a job: codemods, whose changes become part of the result, and verify commands, whose verdict does."""
