"""Worker processes behind one listening socket: their parent, and what it and they say to each other."""
