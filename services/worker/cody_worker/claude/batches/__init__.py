"""Asking Claude in batches, at half the price: for work that can wait up to a day."""
