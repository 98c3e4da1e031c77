"""What makes a chart run: its own thread, a pool of threads, or an event loop."""
