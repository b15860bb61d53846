"""PostgreSQL, Redis and Kafka as plain processes, for tests and developers without Docker."""
