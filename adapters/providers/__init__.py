"""Provider adapters, one a wire protocol."""
