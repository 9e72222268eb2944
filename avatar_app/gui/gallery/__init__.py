"""The photos to choose from, and how they come in."""
