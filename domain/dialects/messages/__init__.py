"""Anthropic's messages: a wire of clients and of providers."""
