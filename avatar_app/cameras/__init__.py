"""Cameras, video files, folders and network addresses as sources of frames."""
