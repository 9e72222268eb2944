"""Find a face, follow it, and crop the square around it."""
