"""OpenVLA as a reference to compare with: one action token after the other. Needs torch."""
