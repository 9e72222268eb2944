"""Turn networks into ONNX files that run fast on processors."""
