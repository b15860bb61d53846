"""OpenAI's chat completions: the wire of most clients and most providers."""
