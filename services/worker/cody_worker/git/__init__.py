"""A target repository: checked out, examined, read and committed to, in a child process of its own.

A hostile repository can make libgit2 loop for ever with the interpreter held, or eat memory; so the worker itself never
opens one. `repository_process` is the worker's side, `child` the other end, `target_repository` what is done there.
"""
