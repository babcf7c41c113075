"""The public append-only log and its promises; never a box, a person or a time."""
