"""Commands of a job, run where they can harm nobody: `find_sandbox` says what this machine can do, `CommandRunner` runs
one argv list in a work folder."""
