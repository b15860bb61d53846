"""Customers' own keys at providers: calls under them are billed by the provider, not by us."""
