"""Data of others into datasets of ours: what they hold, and a mapping that says what it means."""
