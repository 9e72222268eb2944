"""Training of the expression code and of the painters of mouth and eyes."""
