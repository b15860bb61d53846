"""One function or subject at a time."""
