"""State diagrams: what is known of a chart's structure and what was seen of it, then a renderer an output."""
