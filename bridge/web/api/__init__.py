"""The REST API: programs send messages, look into conversations, and mend what failed, each by a token of its own."""
