"""Recordings: a run in one sealed file."""
