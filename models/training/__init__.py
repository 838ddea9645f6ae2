"""The training loop as a generator of events."""

from models.training.fit import fit

__all__ = ["fit"]
