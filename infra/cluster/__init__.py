"""The composition root of the cluster profile: one process, one role, over shared services."""
