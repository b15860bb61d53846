"""The wire `anthropic-messages` with a scripted upstream."""
