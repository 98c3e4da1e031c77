"""How charts are written down: states, handlers, declared classes and parts."""
