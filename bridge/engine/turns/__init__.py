"""From an event at the head of its thread to a committed turn."""
