"""The ports: what the engine needs from outside, each a Protocol with its laws in words."""
