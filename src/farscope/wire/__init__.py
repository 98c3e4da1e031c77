"""Steps to sealed bytes and back, without any I/O."""
