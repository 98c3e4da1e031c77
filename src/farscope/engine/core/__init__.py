"""The core of a chart: the algorithm, the step cache, the mailbox and the recorder."""
