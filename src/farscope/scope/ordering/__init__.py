"""A single order for steps from many clocks: offsets, bounds, and the reorder buffer."""
