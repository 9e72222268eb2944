"""Evaluate a model: reconstruction, parity with the original, speed."""
