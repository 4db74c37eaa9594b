"""Importers of what TinyVLA's authors released, and of runs that their code trained."""
