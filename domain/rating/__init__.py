"""What usage costs: a pure function."""
