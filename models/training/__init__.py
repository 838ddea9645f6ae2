"""The training loop as a generator of events."""

from models.training.fit import fit
from models.training.start import Start

__all__ = ["Start", "fit"]
