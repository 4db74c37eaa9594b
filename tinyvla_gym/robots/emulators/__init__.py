"""Emulated controllers on loopback addresses, for tests with the vendors' own clients."""
