"""What is sealed and to whom: content keys, wraps, box keys, the opening key; never any staff."""
