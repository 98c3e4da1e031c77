"""Sits beside the charts of a process and broadcasts their steps."""
