"""The pure core: events, decisions and policies, on the standard library alone."""
