"""What a message becomes on a channel: a plan, degraded and split to what the channel carries."""
