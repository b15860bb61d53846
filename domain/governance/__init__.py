"""Governance: limits on what callers may ask, and the record of how the engine keeps them."""
