"""What tests share: builders, scripted servers and engines."""
