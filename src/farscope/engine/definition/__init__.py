"""Chart definitions: states, handlers, declared classes, and charts built by parts."""
