"""``farscope demo``: two charts, watched from two other processes."""
