"""The First Order Motion Model's networks."""
