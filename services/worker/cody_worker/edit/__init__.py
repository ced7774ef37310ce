"""From a question about a file to a change of it that passed its checks."""
