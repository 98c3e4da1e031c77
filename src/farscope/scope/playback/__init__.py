"""Going to any moment of a recording."""
