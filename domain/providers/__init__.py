"""Provider health: what attempts say about the providers."""
