"""Measure the speed of a model beside the original and the hardware's floor."""
