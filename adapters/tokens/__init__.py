"""Tokens counted on this machine: by vocabularies in a folder, else by an estimate."""
