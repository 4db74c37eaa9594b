"""A dataset as one page to look at, without network: cameras, numbers, sentence, success."""
