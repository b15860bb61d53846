"""What every event store shares: deciding a group of appends, its thread, the log, the runner."""
