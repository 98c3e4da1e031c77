"""Recordings: a run stored in one sealed file."""
