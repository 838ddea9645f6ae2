"""Bytes and rows to arrays, one file a modality. Training and serving call the same functions; no torch."""

from core.encode.preprocessing import Preprocessing

__all__ = ["Preprocessing"]
