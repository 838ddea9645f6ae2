"""Plan -> ``nn.Module``."""

from models.networks.network import Network, build

__all__ = ["Network", "build"]
