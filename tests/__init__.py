"""The tests; `infra/docs/testing.md` says what each folder proves."""
