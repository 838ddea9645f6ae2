"""Predictions inside the API process: ONNX Runtime, no torch, no database on the hot path."""
