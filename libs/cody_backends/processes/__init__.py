"""Compute on child processes of this machine."""
