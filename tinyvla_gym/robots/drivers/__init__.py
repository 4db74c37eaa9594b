"""Drivers: the vendors' libraries behind the package's own names, imported when they connect."""
