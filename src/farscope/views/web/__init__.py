"""The page: a server that merges what a scope knows into frames, and the modules that draw them."""
