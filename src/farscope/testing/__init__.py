"""Test support for charts and logs: a virtual clock, assertions on steps, waiting, and log conformance."""
