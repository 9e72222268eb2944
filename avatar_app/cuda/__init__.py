"""PyTorch for an NVIDIA card, fetched into the user's own folder."""
