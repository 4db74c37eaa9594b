"""Robots: facts about rigs, a control tick without I/O, and the safety filter."""
