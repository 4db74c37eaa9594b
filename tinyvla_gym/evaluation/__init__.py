"""Success rates that can be believed: seeds, protocol and interval beside every number."""
