"""Cohere's own wire, version 2: chat and embeddings."""
