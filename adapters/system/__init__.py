"""The clock, the ids and the signals of one process."""
