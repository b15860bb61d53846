"""One adapter with its real service."""
