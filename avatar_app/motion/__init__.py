"""From the driver's key points to the pose to render. Pure numpy."""
