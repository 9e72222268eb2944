"""From an engine's layers to the finished picture."""
