"""Episodes on disk: recorded whole or not at all, read back bit by bit as they were."""
