"""Video and photo files: decoding and encoding."""
