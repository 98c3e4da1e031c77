"""The vocabulary every layer shares: facts, shapes, steps, structures, and the sink port."""
