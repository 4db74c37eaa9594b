"""Datasets of ours into formats of others, without loss where the format allows."""
