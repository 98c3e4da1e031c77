"""Reads logs, opens batches, accounts for every step, and keeps a foreign chart for each chart it sees."""
