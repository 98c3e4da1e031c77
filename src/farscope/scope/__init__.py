"""Reads logs, opens batches, accounts for every step, keeps a foreign chart for each one it sees."""
