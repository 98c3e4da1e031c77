"""For tests of charts and logs: a clock that stands still, assertions on steps, waiting, log conformance."""
