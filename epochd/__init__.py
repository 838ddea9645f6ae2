"""Epochd for programs: ``from epochd import Client``. It speaks HTTP only."""

from epochd.client import Client
from epochd.errors import ApiError, ConnectionFailed, DownloadCorrupt, EpochdError, JobNotFinished
from epochd.stream import Update

__all__ = ["ApiError", "Client", "ConnectionFailed", "DownloadCorrupt", "EpochdError", "JobNotFinished", "Update"]
