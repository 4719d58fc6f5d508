"""What moves events and messages: ingest, lanes, turns, deliveries, timers, polling."""
