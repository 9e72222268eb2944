"""A photo, moved by your face, in any video call."""

__version__ = "0.1.0"
