"""Spans sent live to an OpenTelemetry collector."""
