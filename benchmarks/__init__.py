"""Commands that measure; the numbers that they gave are in README.md."""
