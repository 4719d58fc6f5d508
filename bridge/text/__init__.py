"""Texts: which are equal, their classes of characters, patterns that load late, and what somebody may have meant."""
