"""The wire format: encodes steps to sealed bytes and back, without I/O."""
