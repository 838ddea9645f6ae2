"""The HTTP face: FastAPI routes, live streams, predictions on ONNX Runtime, and the built dashboard."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("epochd")
except PackageNotFoundError:  # run from a source tree that was not installed
    VERSION = "0"
