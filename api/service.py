"""The parts of one API process, wired together once."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.auth import Access
from api.metrics import Counters
from api.serving.explain import Explain
from api.serving.ledger import Ledger
from api.serving.predict import Predict
from api.stream import Tailer
from api.submissions import Submissions
from api.tally import Tally
from api.watch import CatalogWatch
from core.broker import Tickets
from core.db import Database
from core.reconciler import Reconciler
from core.settings import Settings


@dataclass
class Service:
    """What routes work with. ``stopping`` is set when the process was told to end, ``schema_current`` once seen."""

    settings: Settings
    database: Database
    watch: CatalogWatch
    access: Access
    tailer: Tailer
    predict: Predict
    explain: Explain
    counters: Counters
    tickets: Tickets
    submissions: Submissions
    reconciler: Reconciler
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopping: threading.Event = field(default_factory=threading.Event)
    schema_current: bool = False

    @classmethod
    def wire(cls, settings: Settings, ledger: Ledger, tally: Tally) -> "Service":
        """Make the parts; nothing is started and no connection is opened yet.

        The ledger and the tally are those of all processes of this API.
        """
        database = Database(settings.database)
        watch = CatalogWatch(database)
        access, counters = Access(watch, settings.keys_required), Counters(tally)
        tickets = Tickets(settings.broker_url)
        return cls(
            settings=settings,
            database=database,
            watch=watch,
            access=access,
            tailer=Tailer(database),
            predict=Predict(
                database,
                watch,
                access,
                counters,
                ledger,
                max_in_flight=settings.max_in_flight,
                max_body_bytes=settings.max_body_bytes,
                most_seconds=settings.predict_seconds,
            ),
            explain=Explain(settings.explain_seconds),
            counters=counters,
            tickets=tickets,
            submissions=Submissions(database, tickets),
            reconciler=Reconciler(database, tickets, settings.reconcile_seconds),
        )

    def start(self) -> None:
        """Start the threads."""
        self.watch.start()
        self.reconciler.start()

    def stop(self) -> None:
        """End the threads and close the connections."""
        self.reconciler.stop()
        self.watch.stop()
        self.tickets.close()
        self.explain.close()
        self.predict.close()
        self.database.close()
