"""The embedded log: a folder with files of frames, one writer each."""
