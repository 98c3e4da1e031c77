"""Drivers, which make charts run: a thread per chart, a pool of threads, or an event loop."""
