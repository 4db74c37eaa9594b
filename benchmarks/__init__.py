"""Measurements against named peers, each beside the check that makes it comparable."""
