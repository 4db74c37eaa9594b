"""How fast the package is, and whether it computes the same, against named peers."""
