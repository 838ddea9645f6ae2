"""The training loop as a generator of events, and what it would say of weights that are there."""

from models.training.fit import fit
from models.training.measure import measure
from models.training.start import Start

__all__ = ["Start", "fit", "measure"]
