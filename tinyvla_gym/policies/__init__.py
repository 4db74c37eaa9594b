"""Policies: they look once and plan a chunk of actions. Nothing outside a subfolder needs torch."""
