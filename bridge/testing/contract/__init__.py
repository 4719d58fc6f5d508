"""Contract suites: what every provider and every store has to pass, ours and those of others."""
