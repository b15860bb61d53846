"""The cluster's event store on PostgreSQL, its data keys, leadership and migrations."""
