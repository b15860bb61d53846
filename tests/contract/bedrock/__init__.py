"""The wire `bedrock-converse` with a scripted upstream."""
