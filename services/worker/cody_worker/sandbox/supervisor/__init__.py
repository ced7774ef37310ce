"""The process between the worker and a command: `supervise` starts it with limits, watches it with all that it starts,
and leaves nothing of it behind, neither when it ends nor when the worker does.

On the standard library alone, so that it starts in milliseconds and holds nothing of the worker's.
"""
