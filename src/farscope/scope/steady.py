"""The clock a scope goes by: one that does not go back and goes on while the machine sleeps."""

from farscope.records.steady import steady_ns

__all__ = ["steady_ns"]
