"""The test kit: what bot authors and our own tests put around a bridge."""
