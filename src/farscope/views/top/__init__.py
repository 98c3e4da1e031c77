"""All charts in a table that keeps itself up to date, for a terminal."""
