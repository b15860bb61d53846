"""Adapters: one folder a technology."""
