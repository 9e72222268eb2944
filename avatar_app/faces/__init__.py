"""Find a face, follow it, and cut the square around it."""
