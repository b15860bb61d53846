"""Encryption of payloads, and keyed hashes of secrets."""
