"""Adapters that live in memory alone."""
