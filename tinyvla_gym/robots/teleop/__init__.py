"""Devices with which a person drives arms, behind one protocol."""
