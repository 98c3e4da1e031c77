"""The harness of our own tests: brokers, proxies, networks, programs, and the account of their work."""
