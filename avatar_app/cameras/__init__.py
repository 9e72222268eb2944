"""Read frames from cameras, video files, folders and network addresses."""
