"""The HTTP API: accepts jobs, shows what became of them, streams what happens."""
