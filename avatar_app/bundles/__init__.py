"""Model bundles: read, verify, download."""
