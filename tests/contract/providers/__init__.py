"""The wire of chat completions with a scripted upstream, and the simulator."""
