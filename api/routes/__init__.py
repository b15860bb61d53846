"""The cold routes, one module a group."""
