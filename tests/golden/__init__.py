"""Stored bytes of every event version, kept for ever."""
