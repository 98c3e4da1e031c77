"""Charts of other statechart libraries, seen through the same sink port."""
