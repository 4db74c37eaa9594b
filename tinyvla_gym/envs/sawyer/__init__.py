"""MetaWorld's simulators: its own numbers in a fraction of its time."""
