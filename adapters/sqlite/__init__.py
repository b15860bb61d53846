"""The embedded event store, log and read models."""
