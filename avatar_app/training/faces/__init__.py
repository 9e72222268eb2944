"""Training of the face networks: the finder and the landmarks."""
