"""ONNX, written by us from the plan."""

from models.export.about import metadata
from models.export.onnx_graph import export
from models.export.parity import verify

__all__ = ["export", "metadata", "verify"]
