"""A photo, moved by your face, in any video call."""

__version__ = "1.0.0"
