"""The steps of `PostgresResultStore`, one file per kind of result; each is a function on one connection."""
