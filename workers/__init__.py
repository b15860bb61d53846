"""Consumers and process managers, and the attempt engine."""
