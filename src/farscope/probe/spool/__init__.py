"""The spool: sealed batches that wait on disk while a log is away."""
