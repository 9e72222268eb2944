"""Training of the network that separates the person from the background."""
