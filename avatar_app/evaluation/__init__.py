"""How good a model is: reconstruction, parity with the original, speed."""
