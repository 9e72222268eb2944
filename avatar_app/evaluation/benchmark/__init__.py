"""Measure how fast a model runs, beside the original and the hardware's floor."""
