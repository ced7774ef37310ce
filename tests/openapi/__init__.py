"""Holds what GitHub's stand-in was asked and answered against the description that GitHub publishes."""
