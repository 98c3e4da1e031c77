"""Logs: append-only sequences of opaque, sealed batches. A log has no access to records or keys."""
