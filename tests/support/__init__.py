"""What our own tests are made of: brokers, proxies, networks, programs, and the account of what they did."""
