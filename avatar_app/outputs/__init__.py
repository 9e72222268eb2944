"""Where pictures go: virtual cameras, PipeWire, recordings; and the canvas that they go on."""
