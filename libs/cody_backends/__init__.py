"""Adapters of the storage, queue and compute ports, and the functions that open them."""
