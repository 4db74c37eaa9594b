"""Worlds: every env of the package, behind one observation/action interface."""
