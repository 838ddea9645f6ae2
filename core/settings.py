"""The settings, from ``EPOCHD_*`` environment variables. Read only where processes are wired together."""

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "epochd"


class Settings(BaseSettings):
    """One frozen object; every field is described in the README's settings table."""

    model_config = SettingsConfigDict(env_prefix="EPOCHD_", frozen=True, extra="ignore")

    data_dir: Path = Field(default_factory=_default_data_dir)
    database_url: str = ""
    broker_url: str = "redis://127.0.0.1:6379/0"
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=0, le=65535)
    api_processes: int = Field(default=1, ge=1, le=64)
    require_keys: Literal["auto", "always"] = "auto"
    bootstrap_key_file: Path | None = None
    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    max_upload_bytes: int = Field(default=16 * 2**30, ge=1024)
    max_in_flight: int = Field(default=256, ge=1)
    predict_seconds: float = Field(default=30.0, ge=0.1, le=3600.0)
    explain_seconds: float = Field(default=10.0, ge=0, le=600.0)
    worker_name: str = ""
    worker_slots: int = Field(default=1, ge=1, le=256)
    worker_threads: int = Field(default=0, ge=0, le=1024)
    dataset_cache_bytes: int = Field(default=20 * 2**30, ge=0)
    lease_seconds: float = Field(default=15.0, ge=1.0, le=3600.0)
    reconcile_seconds: float = Field(default=2.0, ge=0.1, le=3600.0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @property
    def database(self) -> str:
        """The database's URL; a SQLite file in the data folder when none is given."""
        return self.database_url or f"sqlite:///{self.data_dir / 'epochd.db'}"

    @property
    def keys_required(self) -> bool:
        """Whether every request needs an API key: always, unless the bind address is loopback and nobody asked."""
        return self.require_keys == "always" or not is_loopback(self.host)


@lru_cache(64)  # it is asked at every request that needs no key
def is_loopback(host: str) -> bool:
    """Whether an address or host name (no port) stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
