"""Helpers in this process's memory: all there is on one node, the fallback on many."""
