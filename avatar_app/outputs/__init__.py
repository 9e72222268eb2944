"""Virtual cameras, PipeWire, streams, recordings, and the canvas for them."""
