"""Heads: from what the backbone understood to a chunk of actions, one file each."""
