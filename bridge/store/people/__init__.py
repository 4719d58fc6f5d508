"""People: which contact an event is of, in which thread it goes on, and what merging two contacts means."""
