"""The read models in SQL: SQLAlchemy Core on SQLite or PostgreSQL."""
