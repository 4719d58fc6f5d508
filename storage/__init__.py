"""Where conversations are kept: the Store port of bridge/store.py on real databases."""
