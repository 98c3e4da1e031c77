"""The web page: a server that merges a scope's data into frames, and the modules that draw them."""
