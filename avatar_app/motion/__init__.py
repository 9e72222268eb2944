"""Turn the driver's key points into the pose to render. Pure numpy."""
