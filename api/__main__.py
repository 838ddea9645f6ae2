"""``python -m api``: serve on the address that the settings name; SIGTERM ends it at once, open streams too."""

import gc
import socket
import sys
import time

import uvicorn
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.app import create_app
from api.service import Service
from core import log
from core.db import Database
from core.settings import Settings
from core.tables import ApiKey

PATIENCE_SECONDS = 60.0
GRACE_SECONDS = 3
"""For requests under way when the process is told to stop."""


class Server(uvicorn.Server):
    """Ends the open streams as soon as it is told to stop, so that they hold nothing up."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stopping.set()
        self._service.tailer.stop()
        await super().shutdown(sockets)


def require_a_key(database: Database) -> None:
    """Exit when keys are required and there is none: nobody could ask for anything. Waits for the database a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with database.reading() as session:
                found = session.scalar(select(ApiKey.id).where(ApiKey.revoked_at.is_(None)).limit(1))
            break
        except SQLAlchemyError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the database cannot be used: {str(error).splitlines()[0]}")
            time.sleep(0.5)
    if found is None:
        sys.exit(
            "API keys are required here and the database holds none: write one (ep_<32 hex digits>_<secret>) into a "
            "file, name it in EPOCHD_BOOTSTRAP_KEY_FILE and run `python -m migrations`; or bind to 127.0.0.1"
        )


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"the settings cannot be used: {error}")
    log.configure(settings.log_level, settings.log_format)
    app = create_app(settings)
    if settings.keys_required:
        require_a_key(app.service.database)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours is configured already
        access_log=settings.log_level == "debug",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=4096,
    )
    server = Server(config, app.service)
    # What was imported and wired stays for good: the collector need not walk it again, ~100 ms each time.
    gc.collect()
    gc.freeze()
    server.run()
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
