"""Media that stay: fetched through one guarded door, kept once under their hash, read by handlers, served again."""
