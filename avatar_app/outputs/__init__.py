"""Where pictures go: virtual cameras, PipeWire, recordings.

And the canvas that they go on.
"""
