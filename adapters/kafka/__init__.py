"""Kafka as the log: topics, the relay that fills them, and the readers of what stands in them."""
