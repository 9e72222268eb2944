"""Check whether a call would work on this computer."""
