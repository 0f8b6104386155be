"""Acclaim's benchmark: see ../README.md."""
