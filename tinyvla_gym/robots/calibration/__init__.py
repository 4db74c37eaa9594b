"""Finding out where things stand: bases, table, tools, grippers and cameras."""
