"""tinyvla-gym data: looks at datasets, mends, cuts and converts them."""
