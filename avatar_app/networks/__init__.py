"""Neural networks in PyTorch, without any knowledge of the app."""
