"""Logs: append-only sequences of opaque, sealed batches. A log knows no record and no key."""
