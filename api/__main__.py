"""``python -m api``: serve on the address that the settings name; SIGTERM ends it at once, open streams too.

With ``EPOCHD_API_PROCESSES`` above 1 this process only accepts connections, and hands them to that many others.
"""

import asyncio
import contextlib
import gc
import socket
import sys
import time
from types import FrameType

import uvicorn
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api import connection
from api.app import create_app
from api.front import BACKLOG, Front, bind
from api.handed import Handed
from api.metrics import IN_FLIGHT
from api.service import Service
from api.serving.ledger import Ledger
from api.tally import Tally
from core import log
from core.db import Database
from core.settings import Settings
from core.tables import ApiKey

PATIENCE_SECONDS = 60.0
GRACE_SECONDS = 3
"""For requests under way when the process is told to stop."""


class Server(uvicorn.Server):
    """Ends the open streams as soon as it is told to stop, so that they hold nothing up."""

    def __init__(self, config: uvicorn.Config, service: Service, channel: socket.socket | None = None) -> None:
        super().__init__(config)
        self._service, self._channel = service, channel
        self._handed: Handed | None = None
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """As uvicorn's, which looks ten times a second whether to exit: each look takes from a training beside it."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):  # its ticks with such numbers tell the date, once a second
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets if self._channel is None else [])
        if self._channel is not None:
            given = {"config": self.config, "server_state": self.server_state, "app_state": self.lifespan.state}
            self._handed = Handed(self._channel, self.config.http_protocol_class, given, self._front_has_gone)
            self._handed.start()

    def _front_has_gone(self) -> None:
        self.should_exit = True
        self._wake()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._handed is not None:
            self._handed.stop()
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
    if settings.keys_required:
        database = Database(settings.database)
        require_a_key(database)
        database.close()
    ledger, tally = Ledger(settings.api_processes), Tally(settings.api_processes)
    if settings.api_processes == 1:
        serve(settings, ledger, tally)
        return
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        sys.exit(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}")

    def one_of_many(index: int, channel: socket.socket) -> None:
        ledger.become(index)
        tally.become(index)
        serve(settings, ledger, tally, channel)

    def ended(index: int) -> None:
        tally.zero(IN_FLIGHT, index)

    gc.freeze()
    sys.exit(Front(listener, settings.api_processes, one_of_many, ended).run())


def serve(settings: Settings, ledger: Ledger, tally: Tally, channel: socket.socket | None = None) -> None:
    """Serve the connections of the settings' address, or those that are handed over the channel."""
    app = create_app(settings, ledger, tally)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours is configured already
        access_log=settings.log_level == "debug",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
        http=connection.to(app.direct),
        ws="none",
    )
    server = Server(config, app.service, channel)
    # What was imported and wired stays for good: the collector need not walk it again, ~100 ms each time.
    gc.collect()
    gc.freeze()
    server.run()
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
