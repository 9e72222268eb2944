"""X2Face, Monkey-Net, FOMM and our model, trained and judged on the same data."""
