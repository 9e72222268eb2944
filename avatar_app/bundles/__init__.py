"""Model bundles: read, verify, fetch; read original checkpoints."""
