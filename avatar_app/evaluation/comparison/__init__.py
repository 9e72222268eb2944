"""X2Face, Monkey-Net, First Order Motion Model and our own model: trained and judged on the same data for the same time."""
