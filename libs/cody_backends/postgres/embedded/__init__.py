"""A PostgreSQL server of our own in the data folder, for machines that have none.

Every program that uses it holds a shared lock on `users.lock` for its life (`server`). The first one starts a
`supervisor` in the background, which holds `supervisor.lock`, runs PostgreSQL as its child, and stops it and itself
once it can take `users.lock` alone. Locks end with their holders, however those end: nothing is counted.
"""
