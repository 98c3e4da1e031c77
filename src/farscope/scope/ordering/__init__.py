"""One order over many clocks: offsets, bounds, and the reorder buffer."""
