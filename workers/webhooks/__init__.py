"""Webhooks: which deliveries an event calls for, and making them."""
