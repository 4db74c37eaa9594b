"""From a dataset to a checkpoint. Needs torch."""
