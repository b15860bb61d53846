"""Accounts and API keys: who may do what."""
