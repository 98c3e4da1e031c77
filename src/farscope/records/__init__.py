"""The data model shared by all layers: facts, shapes, steps, structures, and the sink port."""
