"""Sound of the user's microphone, for recordings and calls."""
