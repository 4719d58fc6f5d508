"""What a bot author holds: the turn, its state, dialogs, and what was said before."""
