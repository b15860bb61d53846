"""Official clients in, webhooks and read models out."""
