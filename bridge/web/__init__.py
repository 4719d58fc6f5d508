"""The door in: what providers, probes and people reach over HTTP."""
