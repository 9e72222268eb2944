"""Training of all models, their data, losses and export."""
