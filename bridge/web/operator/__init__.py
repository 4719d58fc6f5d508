"""The operator's console: pages over the operations of the REST API, for people who log in."""
