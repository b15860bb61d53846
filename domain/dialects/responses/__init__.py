"""OpenAI's responses: items in, items out, every event of a stream numbered."""
