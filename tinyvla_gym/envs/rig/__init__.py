"""Rigs as envs: real arms, their shadows and their twins behind the one interface."""
