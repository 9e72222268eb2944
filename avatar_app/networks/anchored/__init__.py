"""The default model's networks: motion anchored to face landmarks."""
