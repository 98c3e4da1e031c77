"""State diagrams: a model of a chart's announced structure and observed steps, and a renderer per output."""
