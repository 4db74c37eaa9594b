"""Cameras behind their vendors' libraries, and recorded ones; each answers without waiting."""
