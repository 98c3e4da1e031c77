"""Timed posts, and the clocks that make them."""
