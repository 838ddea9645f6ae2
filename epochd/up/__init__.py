"""``epochd up``: the whole service on one machine, as child processes of this one."""

from epochd.up.supervisor import Options, StartFailed, Up

__all__ = ["Options", "StartFailed", "Up"]
