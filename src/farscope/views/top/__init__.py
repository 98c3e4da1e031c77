"""A live table of all charts for the terminal."""
