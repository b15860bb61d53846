"""The tests; the first line of each folder says what it proves."""
