"""The hub: domain, ports, use cases, storage and command line. It imports no spoke."""
