"""The gallery: the photos to choose from, and adding more."""
