"""From a message at the head of its thread to an outcome."""
