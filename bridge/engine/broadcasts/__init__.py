"""Broadcasts: one message for many contacts, composed into rows, and released a few at a time."""
