"""Combine an engine's layers into the finished picture."""
