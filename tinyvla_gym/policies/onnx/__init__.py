"""Exported policies, run by ONNX Runtime: numpy only, no torch."""
