"""Google's wire `generateContent`, as AI Studio and Vertex AI speak it."""
