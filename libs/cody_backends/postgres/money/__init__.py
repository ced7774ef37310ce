"""Reservations of money, and what they leave of the caps."""
