"""The schema of the event store on PostgreSQL, revision by revision; read by Alembic."""
