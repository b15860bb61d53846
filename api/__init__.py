"""The HTTP surface: parse, command, execute, render."""
