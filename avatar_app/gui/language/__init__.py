"""The window's texts and their translations."""
