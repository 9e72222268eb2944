"""The user's photo library."""
