"""Decode and encode video, photo and sound files."""
