"""A charging site of six programs and fourteen charts, with seven faults to find: see README.md."""
