"""The embedded log: a folder of files made of frames, each file written by one writer."""
