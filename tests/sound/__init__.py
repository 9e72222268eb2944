"""Tests of the microphone's sound."""
