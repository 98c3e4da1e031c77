"""What farscope tests itself with, for everybody: clock, log conformance, trace assertions."""
