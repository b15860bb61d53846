"""The well-known providers as data, and the wires that are made of it."""
