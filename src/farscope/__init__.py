"""farscope shows what every statechart is doing, wherever it runs."""
