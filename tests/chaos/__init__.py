"""Kills, outages and duplicates, from a logged seed."""
