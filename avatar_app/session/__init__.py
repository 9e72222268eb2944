"""A running call (stages and the slots between them), and the offline path."""
