"""Rules of the house that a tool checks."""
