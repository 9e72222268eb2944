"""Commands from other processes of the same user."""
