"""Which offer next: pure policies."""
