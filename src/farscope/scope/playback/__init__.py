"""Access to any moment of a recording."""
