"""Event ↔ bytes."""
