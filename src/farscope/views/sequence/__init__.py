"""Sequence diagrams: steps are extracted into a neutral diagram, and each renderer writes that down."""
