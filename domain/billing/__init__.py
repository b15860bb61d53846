"""Money: holds, charges, credits and the ledger."""
