"""Output formats for people and tools: pure functions of a scope's data, one file per output."""
