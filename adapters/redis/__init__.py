"""Helpers over all nodes in Redis, each with this node's memory as its fallback."""
