"""How networks become ONNX files that run fast on processors."""
