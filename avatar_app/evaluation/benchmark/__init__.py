"""How fast a model runs on this computer, beside the original and the hardware's floor."""
