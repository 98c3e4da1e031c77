"""Sequence diagrams: steps are converted to a neutral model, which each renderer writes in its format."""
